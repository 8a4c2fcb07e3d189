"""Values for the tests of the records."""

from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from vibecheck.records.values import Prediction
from vibecheck.vision.faces import Face, FaceQuality

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
# A suggested playlist, as arguments of `Store.played`.
PLAY = {"playlist_id": "p", "playlist_name": "P", "mode": "match", "found_by": "catalogue"}
JPEG = b"\xff\xd8 a face \xff\xd9"

EXAMPLE = Prediction(
    id="0" * 32,
    made_at=NOON,
    source="live",
    mood="happy",
    confidence=0.7,
    probabilities=(0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05),
    model_version="embedded-3",
    visitor="a1b2",
    face=Face(60.0, 50.0, 200.0, 220.0, ((100, 120), (220, 120), (160, 170), (110, 220), (210, 220)), 0.9),
    quality=FaceQuality(light=120.0, blur=300.0, size=220.0, yaw=-4.5, roll=2.0),
    latency_ms=12.5,
    audit=False,
    picture_kept=False,
)


# tests/conftest.py seeds it for each test: which ids there are decides who is held out, so they must not
# differ from run to run. A child process has one of its own, unseeded.
ids = Random()


def a_prediction(**changes: Any) -> Prediction:
    """A prediction with an id of its own."""
    return replace(EXAMPLE, **{"id": f"{ids.getrandbits(128):032x}", **changes})
