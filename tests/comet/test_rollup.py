"""The rollup of a day in Comet: one table, counts of moods, no duplicates."""

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.records.examples import JPEG, NOON, a_prediction
from tests.records.rows import engine_of
from vibecheck.comet import layout
from vibecheck.comet.client import Comet
from vibecheck.comet.layout import Asset
from vibecheck.comet.rollup import needs_rollup, roll_up
from vibecheck.errors import CometUnavailable
from vibecheck.records import merge
from vibecheck.records.db.transactions import writing
from vibecheck.records.outbox.messages import payload_of
from vibecheck.records.values import Feedback

DAY = layout.day_of(NOON)


ID = "0" * 32
MADE = f"prediction_{ID}.json"


@pytest.fixture
def opened(settings, comet):
    comet.experiment(layout.experiment_key("main", DAY), "vibecheck")
    return Comet.open(settings)


def put(opened, prediction, *labels):
    name = layout.prediction_name(prediction.id, prediction.picture_kept)
    opened.put(DAY, name, JPEG, payload_of(prediction), "asset")
    for n, label in enumerate(labels, 1):
        given = Feedback(prediction.id, n, label, "audit", None, NOON)
        opened.put(DAY, f"feedback_{prediction.id}_{n}.json", b"{}", payload_of(given), "asset")


def table(comet):
    (asset,) = comet.experiments[layout.experiment_key("main", DAY)].named("feedback_log.csv")
    return list(csv.DictReader(io.StringIO(asset.content.decode())))


def test_rollup_table_lists_each_prediction_once_with_its_latest_label(opened, store, comet):
    late, early = a_prediction(made_at=NOON + timedelta(hours=1)), a_prediction(picture_kept=True)
    put(opened, late)
    put(opened, early, "sad", "fear")
    roll_up(opened, store, DAY)
    first, second = table(comet)
    assert (first["prediction_id"], first["ground_truth_mood"]) == (early.id, "fear")
    assert first["image"] == early.picture_name
    assert (second["prediction_id"], second["ground_truth_mood"]) == (late.id, "")


def test_rollup_counts_moods_and_sends_only_changed_counts(opened, store, comet):
    put(opened, a_prediction())
    put(opened, a_prediction())
    roll_up(opened, store, DAY)
    assert (comet.points("count_happy"), comet.points("count_sad")) == ([2.0], [])
    prediction = a_prediction(mood="sad", confidence=0.7)
    put(opened, replace(prediction, probabilities=(0.05, 0.05, 0.05, 0.05, 0.05, 0.7, 0.05)))
    roll_up(opened, store, DAY)
    assert (comet.points("count_happy"), comet.points("count_sad")) == ([2.0], [1.0])
    assert len(table(comet)) == 3


def test_rollup_leaves_an_unchanged_day_as_it_is(opened, store, comet):
    put(opened, a_prediction())
    roll_up(opened, store, DAY)
    uploads = comet.asked("upload-asset")
    roll_up(opened, store, DAY)
    assert comet.asked("upload-asset") == uploads


def test_interrupted_rollup_leaves_no_outdated_table(opened, store, comet):
    put(opened, a_prediction())
    roll_up(opened, store, DAY)
    put(opened, a_prediction())
    comet.fault("asset/delete", status=500)
    with pytest.raises(CometUnavailable, match="internal problem"):
        roll_up(opened, store, DAY)
    roll_up(opened, store, DAY)
    assert len(table(comet)) == 2


def test_rollup_interrupted_at_a_count_sends_it_the_next_time(opened, store, comet):
    put(opened, a_prediction())
    comet.fault("experiment/metric", status=500)
    with pytest.raises(CometUnavailable, match="internal problem"):
        roll_up(opened, store, DAY)
    roll_up(opened, store, DAY)
    assert comet.points("count_happy") == [1.0] and len(table(comet)) == 1


def test_a_day_without_predictions_has_no_table(opened, store, comet):
    roll_up(opened, store, DAY)
    assert comet.names() == []


def test_day_whose_predictions_were_all_deleted_has_an_empty_table(opened, store, comet):
    put(opened, a_prediction())
    roll_up(opened, store, DAY)
    (asset,) = [asset for asset in opened.assets(DAY) if asset.name.startswith("prediction_")]
    opened.delete(DAY, asset)
    roll_up(opened, store, DAY)
    assert table(comet) == []


@pytest.mark.parametrize(
    ("times", "needed"),
    [
        ({}, False),
        ({MADE: 1}, True),
        ({MADE: 1, "feedback_log.csv": 2}, False),
        ({MADE: 1, "feedback_log.csv": 2, f"feedback_{ID}_1.json": 3}, True),
        ({MADE: 1, "feedback_log.csv": 2, f"side_{ID}.json": 3, "sample.png": 4}, False),
    ],
)
def test_day_is_due_for_a_rollup_when_records_came_after_the_last_one(times, needed):
    assert needs_rollup([Asset(name, name, {"sha256": ""}, at) for name, at in times.items()]) is needed


def test_rollup_leaves_foreign_assets_unchanged(opened, store, comet):
    put(opened, a_prediction())
    for name in ("sample.png", "sample.png", "feedback_log.csv"):
        opened.put(DAY, name, b"not ours", {}, "asset")
    roll_up(opened, store, DAY)
    roll_up(opened, store, DAY)
    assert comet.names().count("sample.png") == 2
    logs = comet.experiments[layout.experiment_key("main", DAY)].named("feedback_log.csv")
    assert sorted(asset.content == b"not ours" for asset in logs) == [False, True]


def test_rollup_deletes_assets_of_deleted_predictions(opened, store, comet):
    gone, stays = a_prediction(), a_prediction()
    put(opened, gone, "sad")
    put(opened, stays)
    with writing(engine_of(store)) as connection:
        merge.forget(connection, gone.id, NOON - timedelta(days=400))
    roll_up(opened, store, DAY)
    assert [name for name in comet.names() if gone.id in name] == []
    assert [row["prediction_id"] for row in table(comet)] == [stays.id]


def test_rollup_is_needed_if_a_prediction_was_deleted_after_the_last_one(opened, store, comet):
    deleted = a_prediction()
    put(opened, a_prediction())
    put(opened, deleted)
    roll_up(opened, store, DAY)
    assert not needs_rollup(opened.assets(DAY))
    (asset,) = (each for each in opened.assets(DAY) if deleted.id in each.name)
    opened.delete(DAY, asset)  # and then the disk with the scheduled roll-up is lost
    assert needs_rollup(opened.assets(DAY))
    roll_up(opened, store, DAY)
    assert not needs_rollup(opened.assets(DAY)) and len(table(comet)) == 1
