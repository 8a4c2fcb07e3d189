"""A vibe check: a moment of video, a snapshot or an upload becomes one Prediction.

A photo is a moment of one reading, so all ways share this code.

It knows no page; the clock and chance are passed in.
"""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from vibecheck.emotions import NAMES
from vibecheck.errors import NoFace
from vibecheck.records.store import Store
from vibecheck.records.values import Prediction
from vibecheck.vision.images import encode_jpeg
from vibecheck.vision.reader import Reading


def predict(
    readings: Sequence[Reading],
    *,
    source: str,
    visitor: str | None,
    now: datetime,
    audit_share: float = 0.0,
    draw: Callable[[], float] = random.random,
) -> tuple[Prediction, Reading]:
    """One Prediction from a moment of readings, and the reading with the best face among them.

    The seven probabilities are averaged over the readings that saw a face, the mood is the largest
    of the averages, the face is the one of the best FaceQuality. Whether the check is an audit is
    drawn here, before anybody saw the answer. Where the model changed within the moment, only what the
    newer one read counts. Raises NoFace if no reading saw a face.
    """
    seen = [reading for reading in readings if reading.probabilities is not None]
    if not seen:
        raise NoFace("No face was found. Look at the camera, come a little closer, and try again.")
    version = seen[-1].model.version
    seen = [reading for reading in seen if reading.model.version == version]
    best = max(seen, key=lambda reading: reading.quality.score if reading.quality else 0.0)
    assert best.quality is not None and best.kept_face is not None  # as of every face that was read
    mean = np.mean([reading.probabilities or () for reading in seen], axis=0)
    top = int(mean.argmax())
    prediction = Prediction(
        id=uuid.uuid4().hex,
        made_at=now,
        source=source,
        mood=NAMES[top],
        confidence=float(mean[top]),
        probabilities=tuple(map(float, mean)),
        model_version=version,
        visitor=visitor,
        face=best.kept_face,
        quality=best.quality,
        latency_ms=float(np.mean([reading.took_ms for reading in seen])),
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
