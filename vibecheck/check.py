"""A vibe check: a moment of video or a photo becomes one Prediction."""

import math
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import mean

from vibecheck.errors import NoFace, TooManyChecks
from vibecheck.records.store import Store
from vibecheck.records.values import Prediction
from vibecheck.text.plurals import counted
from vibecheck.vision.images import encode_jpeg
from vibecheck.vision.reader import Moment, Reading

# Vibe checks a minute. A person looks at each answer; a kept face takes about 40 kB.
PER_VISITOR = 20
# A browser without cookies is a new visitor each time, so an address leaves room for others.
PER_ADDRESS = 180
FOR_ALL = 240


@dataclass
class CheckLimiter:
    """Limits how many vibe checks a minute one visitor, one network address and all can make. Thread-safe."""

    per_visitor: int = PER_VISITOR
    per_address: int = PER_ADDRESS
    for_all: int = FOR_ALL
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    # Time, visitor and address of each.
    _recent: list[tuple[float, str | None, str | None]] = field(default_factory=list)

    def admit(self, visitor: str | None, address: str | None = None) -> None:
        """Count a vibe check of this visitor. Raises TooManyChecks if there were too many in a minute."""
        now = self.clock()
        with self._lock:
            self._recent = [each for each in self._recent if now - each[0] < 60]
            theirs = [at for at, who, _ in self._recent if who == visitor]
            nearby = [at for at, _, where in self._recent if where == address]
            everybody = [at for at, _, _ in self._recent]
            for times, most, problem in (
                (theirs, self.per_visitor, f"You made {self.per_visitor} vibe checks within a minute."),
                (nearby, self.per_address, "Too many people in your network check their vibe right now."),
                (everybody, self.for_all, "Too many people check their vibe right now."),
            ):
                if len(times) >= most:
                    wait = math.ceil(times[0] + 60 - now)
                    raise TooManyChecks(f"{problem} Wait {counted(wait, 'second')}, and press again.")
            self._recent.append((now, visitor, address))


# Shared by this process.
limiter = CheckLimiter()


def predict(
    moment: Moment | None,
    *,
    source: str,
    visitor: str | None,
    now: datetime,
    audit_share: float = 0.0,
    draw: Callable[[], float] = random.random,
) -> tuple[Prediction, Reading]:
    """The Prediction of a moment, and its reading with the best face.

    Mood and probabilities are those that were shown; the face is the one with the best FaceQuality among
    those of which a crop may be kept. Whether the check is an audit is drawn here, before anybody sees the
    result. Raises NoFace without a moment.
    """
    if moment is None:
        step = "Look at the camera, come a little closer, and try again."
        if source == "upload":
            step = "Choose another picture, closer to the face."
        raise NoFace(f"No face was found. {step}")
    complete = (reading for reading in moment.readings if reading.kept is not None)
    best = max(complete, key=lambda each: each.quality.score if each.quality else 0.0, default=None)
    if best is None:
        raise NoFace("Your face has only just come into view. Look at the camera, and try again.")
    newest = moment.readings[-1]
    best = replace(best, model=newest.model, calibration=newest.calibration)
    # The whole frame was searched, so both are present.
    assert best.quality is not None and best.kept is not None
    _, face = best.kept()
    prediction = Prediction(
        id=uuid.uuid4().hex,
        made_at=now,
        source=source,
        mood=moment.distribution.mood,
        confidence=moment.distribution.confidence,
        probabilities=moment.distribution.probabilities,
        model_version=best.model.version,
        visitor=visitor,
        face=face,
        quality=best.quality,
        latency_ms=mean(reading.took_ms for reading in moment.readings),
        audit=draw() < audit_share,
        picture_kept=False,
        calibration=best.calibration,
    )
    return prediction, best


def record(
    store: Store,
    prediction: Prediction,
    best: Reading,
    keep_picture: bool,
    always_ask: bool = False,
    hold: timedelta = timedelta(0),
) -> Prediction:
    """Store a prediction, with its face crop if the visitor agreed; it is on disk when this returns.

    Unless `always_ask`, it is no audit if its visitor was asked enough today, or made another vibe check a
    moment ago. Its report to Comet waits for its readings, for `hold` at most. Raises RecordsError; after a
    PictureStorageError it can be stored without its crop.
    """
    visitor = prediction.visitor
    may_ask = always_ask or visitor is None or store.may_be_asked(visitor, prediction.made_at)
    face = encode_jpeg(best.kept()[0]) if keep_picture and best.kept else None
    kept = replace(prediction, picture_kept=face is not None, audit=prediction.audit and may_ask)
    store.add(kept, face, best.model.origin, hold)
    return kept
