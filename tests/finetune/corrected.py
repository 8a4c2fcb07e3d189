"""Stores of labelled faces to learn from, made of the faces that scikit-image ships."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from skimage import data

from tests.databases import open_store
from tests.records.examples import a_prediction
from vibecheck.emotions import NAMES
from vibecheck.settings import Settings
from vibecheck.vision.crops import kept_crop
from vibecheck.vision.faces import face_filling
from vibecheck.vision.images import encode_jpeg

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@cache
def dark_faces() -> np.ndarray:
    return (data.lfw_subset()[:100] * 160).astype(np.uint8)


def face(mood: int, number: int) -> np.ndarray:
    """A face, 96 x 96 x 3, that shows its mood by a bright bar in a place of its own."""
    faces = dark_faces()
    picture = faces[number % len(faces)].repeat(4, 0).repeat(4, 1)[2:98, 2:98].copy()
    picture[12 * mood + 6 : 12 * mood + 18, 8:88] = 255
    return picture[..., np.newaxis].repeat(3, 2)


def fill(
    settings: Settings,
    count: int,
    visitors: int = 12,
    source: str = "audit",
    noise: float = 0.0,
    start: int = 0,
    since: datetime = NOON,
) -> list[str]:
    """Store `count` labelled predictions of `visitors` visitors, numbered from `start`; returns their ids.

    The first is made at `since`, each other one a minute after the one before.
    """
    rng = np.random.default_rng(count)
    store = open_store(settings)
    ids = []
    for number in range(start, start + count):
        mood = number % len(NAMES)
        kept, where = kept_crop(face(mood, number), face_filling(face(mood, number)))
        made = a_prediction(
            id=hashlib.md5(str(number).encode()).hexdigest(),
            visitor=f"visitor {number % visitors}",
            made_at=since + timedelta(minutes=number),
            face=where,
            audit=source == "audit",
            picture_kept=True,
        )
        store.add(made, encode_jpeg(kept))
        label = NAMES[int(rng.integers(7))] if rng.random() < noise else NAMES[mood]
        store.label(made.id, label, source, made.visitor, since + timedelta(days=1))
        ids.append(made.id)
    store.close()
    return ids
