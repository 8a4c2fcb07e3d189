"""A day in Comet, rolled up: one table, how often each mood was seen, nothing twice."""

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.records.examples import JPEG, NOON, a_prediction
from vibecheck.comet import layout
from vibecheck.comet.asset_index import AssetIndex
from vibecheck.comet.client import Comet
from vibecheck.comet.layout import Asset
from vibecheck.comet.rollup import needs_rollup, roll_up
from vibecheck.records.outbox.messages import payload_of
from vibecheck.records.values import Feedback

DAY = layout.day_of(NOON)


@pytest.fixture
def opened(settings, comet):
    comet.experiment(layout.experiment_key("main", DAY), "vibecheck")
    return Comet.open(settings)


def put(opened, prediction, *labels):
    name = layout.prediction_name(prediction.id, prediction.picture_kept)
    opened.put(DAY, name, JPEG, payload_of(prediction), "asset")
    for n, label in enumerate(labels, 1):
        given = Feedback(prediction.id, n, label, "audit", None, NOON)
        opened.put(DAY, layout.part_name("feedback", prediction.id, n), b"{}", payload_of(given), "asset")


def table(comet):
    (asset,) = comet.experiments[layout.experiment_key("main", DAY)].named("feedback_log.csv")
    return list(csv.DictReader(io.StringIO(asset.content.decode())))


def test_the_table_holds_each_prediction_once_oldest_first_with_its_last_label(opened, comet):
    late, early = a_prediction(made_at=NOON + timedelta(hours=1)), a_prediction(picture_kept=True)
    put(opened, late)
    put(opened, early, "sad", "fear")
    roll_up(opened, DAY)
    first, second = table(comet)
    assert (first["prediction_id"], first["ground_truth_mood"]) == (early.id, "fear")
    assert first["image"] == early.picture_name
    assert (second["prediction_id"], second["ground_truth_mood"]) == (late.id, "")


def test_moods_are_counted_and_a_count_that_did_not_change_is_not_told_again(opened, comet):
    put(opened, a_prediction())
    put(opened, a_prediction())
    roll_up(opened, DAY)
    assert (comet.points("count_happy"), comet.points("count_sad")) == ([2.0], [])
    prediction = a_prediction(mood="sad", confidence=0.7)
    put(opened, replace(prediction, probabilities=(0.05, 0.05, 0.05, 0.05, 0.05, 0.7, 0.05)))
    roll_up(opened, DAY)
    assert (comet.points("count_happy"), comet.points("count_sad")) == ([2.0], [1.0])
    assert len(table(comet)) == 3


def test_a_day_in_which_nothing_changed_is_left_as_it_is(opened, comet):
    put(opened, a_prediction())
    roll_up(opened, DAY)
    uploads = comet.asked("upload-asset")
    roll_up(opened, DAY)
    assert comet.asked("upload-asset") == uploads


def test_an_interrupted_roll_up_leaves_no_old_table_behind(opened, comet):
    put(opened, a_prediction())
    roll_up(opened, DAY)
    put(opened, a_prediction())
    comet.fault("asset/delete", status=500)
    with pytest.raises(Exception, match="problem of its own"):
        roll_up(opened, DAY)
    roll_up(opened, DAY)
    assert len(table(comet)) == 2


def test_a_day_without_predictions_has_no_table(opened, comet):
    roll_up(opened, DAY)
    assert comet.names() == []


def test_a_day_of_which_all_is_deleted_has_an_empty_table(opened, comet):
    put(opened, a_prediction())
    roll_up(opened, DAY)
    (asset,) = [asset for asset in opened.assets(DAY) if asset.name.startswith("prediction_")]
    opened.delete(DAY, asset)
    roll_up(opened, DAY)
    assert table(comet) == []


@pytest.mark.parametrize(
    ("times", "needed"),
    [
        ({}, False),
        ({"prediction_x.json": 1}, True),
        ({"prediction_x.json": 1, "feedback_log.csv": 2}, False),
        ({"prediction_x.json": 1, "feedback_log.csv": 2, "feedback_x_1.json": 3}, True),
    ],
)
def test_a_day_needs_a_roll_up_when_something_came_after_the_last(times, needed):
    assert needs_rollup([Asset(name, name, {}, at) for name, at in times.items()]) is needed


def test_deletions_told_together_share_one_look_at_history(opened, comet):
    predictions = [a_prediction() for _ in range(3)]
    for prediction in predictions:
        put(opened, prediction)
    whereabouts, before = AssetIndex(opened), comet.asked("asset/list")
    for prediction in predictions:
        assert whereabouts.day_of(prediction.id, NOON) == DAY
    assert whereabouts.day_of("0" * 32, NOON) is None
    assert comet.asked("asset/list") == before + 1
