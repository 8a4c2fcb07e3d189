"""What each model said of one face: stored with its prediction, deleted with it, sent with it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.records.examples import JPEG, NOON, a_prediction
from vibecheck.records.db.transactions import database_now
from vibecheck.records.readings import WAIT, ShadowReading
from vibecheck.vision.manifest import Manifest

SHARES = (0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05)


def reading(prediction_id: str, version: str = "embedded-3", **changes) -> ShadowReading:
    return replace(ShadowReading(prediction_id, version, SHARES, 4.0), **changes)


def test_first_reading_of_each_model_is_kept(store):
    made, other = a_prediction(), a_prediction()
    for each in (made, other):
        store.add(each, None)
    both = reading(made.id, "hub/vit@abc"), reading(made.id)
    store.readings.add(both)
    store.readings.add([reading(made.id, took_ms=99.0), reading(other.id)])
    assert store.readings.of(made.id) == tuple(sorted(both, key=lambda each: each.version))
    assert store.readings.of(other.id) == (reading(other.id),)
    assert store.readings.of("f" * 32) == ()


@pytest.mark.parametrize("how", ["visitor", "id", "age"])
def test_readings_are_deleted_with_their_prediction_and_refused_afterwards(store, how):
    made = a_prediction(visitor="me", picture_kept=True)
    store.add(made, JPEG)
    store.readings.add([reading(made.id)])
    if how == "visitor":
        store.forget_visitor("me", NOON)
    elif how == "id":
        store.forget([made.id], NOON)
    else:
        store.purge(NOON + timedelta(days=1))
    assert store.readings.of(made.id) == ()
    store.readings.add([reading(made.id, "late")])  # read while it was deleted
    assert store.readings.of(made.id) == ()


def test_prediction_waits_for_its_readings_before_it_is_sent_but_not_forever(store):
    made, unread = a_prediction(), a_prediction()
    store.add(made, None, hold=WAIT)
    store.add(unread, None, hold=WAIT)
    sender = store.outbox()
    assert sender.claim(9) == [] and sender.state().queued == 2
    store.readings.add([reading(made.id)])
    (claimed,) = sender.claim(9)
    assert claimed.prediction_id == made.id
    later = store.outbox(timedelta(minutes=2))
    later._clock = lambda connection: database_now(connection) + WAIT
    assert [each.prediction_id for each in later.claim(9)] == [unread.id]


def test_a_model_may_have_any_name_that_its_manifest_allows(store):
    made = a_prediction()
    store.add(made, None)
    store.readings.add([reading(made.id, Manifest(version="मॉडल").version)])
    assert store.readings.of(made.id) == (reading(made.id, "मॉडल"),)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"prediction_id": "../x"}, "32 hexadecimal digits"),
        ({"version": "a version\0"}, "not the name of a version"),
        ({"version": ""}, "not the name of a version"),
        ({"probabilities": (1.0,)}, "seven numbers"),
        ({"probabilities": (float("nan"), *SHARES[1:])}, "seven numbers"),
        ({"probabilities": (-0.3, 0.4, *SHARES[2:])}, "between 0 and 1"),
        ({"took_ms": float("inf")}, "took_ms"),
        ({"took_ms": -1.0}, "took_ms"),
    ],
)
def test_invalid_reading_is_refused(changes, problem):
    with pytest.raises(ValueError, match=problem):
        replace(reading("0" * 32), **changes)
