import json
from dataclasses import asdict, replace
from datetime import timedelta, timezone

import numpy as np
import pytest
from sqlalchemy.exc import StatementError

from tests.records.examples import EXAMPLE, NOON
from tests.records.rows import pending
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.outbox.messages import enqueue, payload_of
from vibecheck.records.values import Deletion, Feedback, FeedbackUndone, PictureKept, Play, Promotion
from vibecheck.vision.faces import FaceQuality

FEEDBACK = Feedback(EXAMPLE.id, 1, "sad", "audit", None, NOON)
PLAY = Play(EXAMPLE.id, 2, "37i9", "Sérénité 🎧", "lift", True, "catalogue", NOON)
PROMOTION = Promotion("b", "a", "promotion", "it is better", NOON)


UNDONE = FeedbackUndone(EXAMPLE.id, 1, NOON)
KEPT = PictureKept(EXAMPLE.id, NOON)
DELETION = Deletion(EXAMPLE.id, NOON, NOON)


@pytest.mark.parametrize("value", [EXAMPLE, FEEDBACK, PLAY, UNDONE, KEPT, DELETION, PROMOTION])
def test_payload_is_plain_json_with_every_field(value):
    payload = payload_of(value)
    assert json.loads(json.dumps(payload, allow_nan=False)) == payload
    assert payload.keys() == asdict(value).keys()


def test_prediction_payload_contains_face_quality_and_probabilities():
    payload = payload_of(EXAMPLE)
    assert payload["made_at"] == "2026-01-31T12:00:00.123456+00:00"
    assert payload["probabilities"] == [0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05]
    assert payload["face"]["landmarks"][0] == [100, 120]
    assert payload["quality"] == {"light": 120.0, "blur": 300.0, "size": 220.0, "yaw": -4.5, "roll": 2.0}
    assert payload["audit"] is False


def test_times_are_sent_in_utc():
    there = replace(FEEDBACK, given_at=NOON.astimezone(timezone(timedelta(hours=-8))))
    assert payload_of(there) == payload_of(FEEDBACK)


@pytest.mark.parametrize(
    "message",
    [
        replace(UNDONE, undone_at=NOON.replace(tzinfo=None)),
        replace(KEPT, kept_at=NOON.replace(tzinfo=None)),
        replace(DELETION, deleted_at=NOON.replace(tzinfo=None)),
    ],
)
def test_messages_without_a_time_zone_are_refused(engine, message):
    with pytest.raises(StatementError, match="time zone"), writing(engine) as connection:
        enqueue(connection, message)


def test_numpy_numbers_become_plain_numbers():
    quality = FaceQuality(*(np.float32(number) for number in (1, 2, 3, 4.5, 5)))
    payload = payload_of(replace(EXAMPLE, quality=quality, latency_ms=np.float64(1.5)))
    assert json.loads(json.dumps(payload)) == payload
    assert payload["quality"]["yaw"] == 4.5


def test_each_message_has_its_kind_and_prediction_id(engine):
    with writing(engine) as connection:
        for value in (EXAMPLE, FEEDBACK, UNDONE, PLAY, KEPT, DELETION):
            enqueue(connection, value)
    with reading(engine) as connection:
        rows = pending(connection, 10)
    assert {(row.prediction_id, row.created_at) for row in rows} == {(EXAMPLE.id, NOON)}
    names = ["prediction", "feedback", "feedback_undone", "play", "picture_kept", "deletion"]
    assert [row.kind for row in rows] == names


def test_pending_messages_are_listed_oldest_first(engine):
    with writing(engine) as connection:
        for value in (EXAMPLE, FEEDBACK, PLAY):
            enqueue(connection, value)
    with reading(engine) as connection:
        first, second, third = pending(connection, 10)
        assert pending(connection, 2) == [first, second]
    assert [row.kind for row in (first, second, third)] == ["prediction", "feedback", "play"]
    assert first.id < second.id < third.id
    assert (third.prediction_id, third.payload, third.created_at) == (EXAMPLE.id, payload_of(PLAY), NOON)


def test_promotion_message_has_no_prediction_id(engine):
    with writing(engine) as connection:
        enqueue(connection, PROMOTION)
    with reading(engine) as connection:
        (row,) = pending(connection, 10)
    assert (row.kind, row.prediction_id, row.created_at) == ("promotion", "", NOON)
    assert row.payload == payload_of(PROMOTION)
