"""Names, keys and metadata: what was written can be read back, and anything else is refused."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.records.examples import EXAMPLE, NOON
from vibecheck.comet import layout
from vibecheck.comet.day_records import read_day
from vibecheck.comet.layout import Asset
from vibecheck.records.outbox.messages import payload_of
from vibecheck.records.readings import ShadowReading
from vibecheck.records.values import Feedback, Play, Prediction

FEEDBACK = Feedback(EXAMPLE.id, 2, "sad", "audit", "a1b2", NOON)
PLAY = Play(EXAMPLE.id, 1, "37i9", "Sérénité 🎧", "lift", True, "catalogue", NOON)
DAY = date(2026, 1, 31)


@given(st.text(min_size=1), st.dates(date(2000, 1, 1)))
def test_experiment_key_is_valid_for_comet_and_contains_the_day(deployment, day):
    key = layout.experiment_key(deployment, day)
    assert 32 <= len(key) <= 50 and key.isalnum() and key.isascii()
    assert layout.day_of_key(deployment, key) == day


def test_deployments_have_different_experiment_keys():
    assert layout.experiment_key("main", DAY) != layout.experiment_key("Main", DAY)
    assert layout.day_of_key("other", layout.experiment_key("main", DAY)) is None


@pytest.mark.parametrize("end", ["", "2026013", "20261301", "2026013x", "202601311"])
def test_malformed_experiment_key_has_no_day(end):
    prefix = layout.experiment_key("main", DAY).removesuffix("20260131")
    assert layout.day_of_key("main", prefix + end) is None


def test_days_are_in_utc():
    late = datetime(2026, 1, 31, 20, 0, tzinfo=timezone(timedelta(hours=-8)))
    assert layout.day_of(late) == date(2026, 2, 1)


# The name of a playlist is not sent.
SENT = (EXAMPLE, FEEDBACK, replace(PLAY, playlist_name=""))


@pytest.mark.parametrize("value", SENT)
def test_metadata_written_to_comet_is_read_back_unchanged(value):
    metadata = json.loads(json.dumps(payload_of(value)))
    assert layout.value_from(type(value), metadata) == value
    assert layout.value_from(type(value), metadata | {"written by a newer version": {"a": 1}}) == value


def test_nested_objects_may_arrive_as_json_text():
    payload = payload_of(EXAMPLE)
    inner = {name: json.dumps(payload[name]) for name in ("face", "quality", "probabilities")}
    assert layout.value_from(Prediction, payload | inner) == EXAMPLE


BROKEN = [None, "", "x", -1, 7.5, [], {}, {"x": [1]}, "a\0b", float("nan"), "[1"]


@pytest.mark.parametrize("field", payload_of(EXAMPLE))
@pytest.mark.parametrize("value", BROKEN)
def test_prediction_with_a_malformed_field_is_refused_or_read_unchanged(field, value):
    try:
        read = layout.value_from(Prediction, payload_of(EXAMPLE) | {field: value})
    except ValueError:
        return
    assert payload_of(read)[field] == value, "what is taken is what was there"


READING = ShadowReading(EXAMPLE.id, "hub/vit@abc", EXAMPLE.probabilities, 4.5)


def test_readings_come_as_a_list_or_as_text_or_not_at_all():
    assert layout.readings_from({}, EXAMPLE.id) == ()
    for written in ([READING.plain()], json.dumps([READING.plain()])):
        assert layout.readings_from({"shadow": written}, EXAMPLE.id) == (READING,)
    twice = [READING.plain(), READING.plain() | {"took_ms": 9.0}]
    assert len(layout.readings_from({"shadow": twice}, EXAMPLE.id)) == 1


@pytest.mark.parametrize(
    "hostile",
    [
        "[[]]",
        "{",
        7,
        {"a": 1},
        ["x"],
        [READING.plain() | {"version": "../../x y"}],
        [READING.plain() | {"probabilities": [1, 1, 1, 1, 1, 1, 1]}],
        [READING.plain() | {"probabilities": "1"}],
        [READING.plain() | {"took_ms": float("nan")}],
        [{"version": "hub"}],
        [READING.plain()] * (layout.MOST_READINGS + 1),
    ],
)
def test_hostile_readings_are_refused_and_their_prediction_stays(hostile):
    with pytest.raises(ValueError):
        layout.readings_from({"shadow": hostile}, EXAMPLE.id)
    name = layout.prediction_name(EXAMPLE.id, picture=False)
    day = read_day([Asset("1", name, payload_of(EXAMPLE) | {"shadow": hostile}, 0)])
    (found,) = day.found()
    assert found.prediction == EXAMPLE and found.readings == () and name in day.refused


@pytest.mark.parametrize("field", [*payload_of(EXAMPLE), *payload_of(FEEDBACK), *payload_of(PLAY)])
def test_metadata_without_a_required_field_is_refused(field):
    for value in SENT:
        payload = payload_of(value)
        # A label that was told before there were queues has none.
        # Of a play, the category and the label were not always told.
        # Predictions from before there were calibrations name none.
        optional = "queue", "category", "followed", "calibration"
        if payload.pop(field, "absent") != "absent" and field not in optional:
            with pytest.raises(ValueError):
                layout.value_from(type(value), payload)


@pytest.mark.parametrize("metadata", [None, "", "no JSON", "[1]", 3, {"a": 1}, '{"a": 1}'])
def test_asset_metadata_may_be_an_object_text_or_missing(metadata):
    asset = Asset.of({"assetId": "1", "fileName": "x", "metadata": metadata, "createdAt": None})
    assert asset.metadata == ({"a": 1} if metadata in ({"a": 1}, '{"a": 1}') else {})


def test_a_promotion_has_the_same_name_each_time():
    assert layout.name_of("promotion", {"a": 1, "b": 2}) == layout.name_of("promotion", {"b": 2, "a": 1})
    assert layout.name_of("promotion", {"a": 1}) != layout.name_of("promotion", {"a": 2})


def test_asset_names_contain_kind_id_and_number():
    assert layout.prediction_name("0f", True) == "input_0f.jpg"
    assert layout.prediction_name("0f", False) == "prediction_0f.json"
    assert layout.name_of("feedback", {"prediction_id": "0f", "n": 3}) == "feedback_0f_3.json"
    assert layout.day_of(NOON.astimezone(UTC)) == DAY
