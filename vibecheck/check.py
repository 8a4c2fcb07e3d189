"""A vibe check: a moment of video or a photo becomes one Prediction.

Knows no page; the clock and randomness are passed in.
"""

import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from statistics import mean

from vibecheck.errors import NoFace
from vibecheck.records.store import Store
from vibecheck.records.values import Prediction
from vibecheck.vision.images import encode_jpeg
from vibecheck.vision.reader import Moment, Reading


def predict(
    moment: Moment | None,
    *,
    source: str,
    visitor: str | None,
    now: datetime,
    audit_share: float = 0.0,
    draw: Callable[[], float] = random.random,
) -> tuple[Prediction, Reading]:
    """The Prediction of a moment, and the reading with the best face in it.

    Mood and probabilities are those that were shown. Whether the check is an audit is drawn here, before
    anybody sees the result. Raises NoFace without a moment.
    """
    if moment is None:
        raise NoFace("No face was found. Look at the camera, come a little closer, and try again.")
    best = max(moment.readings, key=lambda reading: reading.quality.score if reading.quality else 0.0)
    assert best.quality is not None and best.kept_face is not None  # as of every face that was read
    prediction = Prediction(
        id=uuid.uuid4().hex,
        made_at=now,
        source=source,
        mood=moment.distribution.mood,
        confidence=moment.distribution.confidence,
        probabilities=moment.distribution.probabilities,
        model_version=best.model.version,
        visitor=visitor,
        face=best.kept_face,
        quality=best.quality,
        latency_ms=mean(reading.took_ms for reading in moment.readings),
        audit=draw() < audit_share,
        picture_kept=False,
    )
    return prediction, best


def record(
    store: Store, prediction: Prediction, best: Reading, keep_picture: bool, always_ask: bool = False
) -> Prediction:
    """Keep a prediction, and its face if the visitor said yes; on return it is on disk.

    Unless `always_ask`, it is no audit if its visitor was asked enough today, or made another vibe check
    a moment ago. Raises RecordsError.
    """
    visitor = prediction.visitor
    may_ask = always_ask or visitor is None or store.may_be_asked(visitor, prediction.made_at)
    audit = prediction.audit and may_ask
    kept = replace(prediction, picture_kept=keep_picture, audit=audit)
    face = encode_jpeg(best.kept) if keep_picture and best.kept is not None else None
    store.add(kept, face, best.model.origin)
    return kept
