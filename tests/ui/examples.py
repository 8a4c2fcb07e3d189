"""Vibe checks with pictures, as the corrections page finds them."""

import random
from datetime import UTC, datetime, timedelta

import numpy as np

from tests.records.examples import a_prediction
from vibecheck.emotions import NAMES
from vibecheck.records.store import Store
from vibecheck.records.values import CANT_TELL, Prediction
from vibecheck.vision.images import encode_jpeg
from vibecheck.vision.sample_faces import face_probes

MINUTE = timedelta(minutes=1)


def shares(mood: str, confidence: float) -> dict:
    """The fields of a prediction of this mood."""
    rest = (1 - confidence) / 6
    probabilities = tuple(confidence if name == mood else rest for name in NAMES)
    return {"mood": mood, "confidence": confidence, "probabilities": probabilities}


def face() -> bytes:
    """A face crop (JPEG)."""
    return faces(1)[0]


def faces(count: int) -> list[bytes]:
    """Face crops (JPEG, 200 px)."""
    return [encode_jpeg(np.kron(probe, np.ones((8, 8, 1), np.uint8))) for probe in face_probes(count)]


def fill(store: Store, count: int, visitor: str | None = None, seed: int = 0) -> list[Prediction]:
    """`count` vibe checks, most with a picture, some labelled; newest first. All of `visitor`, or of many."""
    rng = random.Random(seed)
    now = datetime.now(UTC).replace(microsecond=0)
    made = []
    for number, jpeg in enumerate(faces(count)):
        kept = rng.random() < 0.85
        prediction = a_prediction(
            made_at=now - 7 * number * MINUTE,
            **shares(rng.choice(NAMES), rng.uniform(0.3, 0.99)),
            visitor=visitor or f"{number % 20:064x}",
            model_version="embedded-3" if number % 5 else "tuned-2",
            picture_kept=kept,
        )
        store.add(prediction, jpeg if kept else None)
        if rng.random() < 0.3:
            label = rng.choice([prediction.mood, *NAMES, CANT_TELL])
            store.label(prediction.id, label, "labeller", "beef" * 16, prediction.made_at + MINUTE)
        made.append(prediction)
    return made
