"""Records that Comet accepted and lost are noticed, and sent again."""

import json
from datetime import timedelta

import pytest

from tests.comet.conftest import FAST
from tests.records.examples import JPEG, NOON, PLAY, a_prediction
from tests.records.rows import queued
from vibecheck.comet import resend, worker
from vibecheck.comet.client import Comet
from vibecheck.comet.sender import Pace, Sender
from vibecheck.comet.status import comet_state
from vibecheck.models.registry import Registry
from vibecheck.records.store import Store
from vibecheck.records.synthetic import ORIGIN


def fill(store):
    """Two days of records, the first with a label, a playlist and a side."""
    first = a_prediction(picture_kept=True)
    second = a_prediction(made_at=NOON + timedelta(days=1))
    store.add(first, JPEG)
    store.add(second, None)
    store.label(first.id, "sad", "audit", None, NOON)
    store.played(first.id, **PLAY, again=False, now=NOON)
    store.training_sets.assign({first.id: "train"}, NOON)
    return first, second


def test_records_lost_by_comet_are_sent_again_once(settings, store, comet):
    fill(store)
    Sender(settings, store, FAST).run(until_empty=True)
    names, points = comet.names(), comet.points("confidence")
    for experiment in comet.experiments.values():
        experiment.assets.clear()
    assert worker.send_again(settings, None) == 5
    # The models' news are the embedded model's, which the registry begins with.
    other = ("feedback_log.csv", "model_", "promotion_")
    assert [name for name in comet.names() if not name.startswith(other)] == [
        name for name in names if not name.startswith(other)
    ]
    assert comet.points("confidence") == points, "a point that is there is not added twice"
    assert worker.send_again(settings, None) == 0


def test_only_predictions_since_the_given_day_are_sent_again(settings, store, comet):
    first, second = fill(store)
    Sender(settings, store, FAST).run(until_empty=True)
    for experiment in comet.experiments.values():
        experiment.assets.clear()
    assert worker.send_again(settings, NOON + timedelta(hours=1)) == 1
    assert second.id in str(comet.names()) and first.id not in str(comet.names())


def decided(comet) -> list[str]:
    """The names of all assets but the promotion that a new installation begins with."""
    assets = [asset for experiment in comet.experiments.values() for asset in experiment.assets.values()]
    return sorted(asset.name for asset in assets if json.loads(asset.metadata or "{}").get("kind") != "first")


@pytest.mark.slow
def test_promotions_and_models_are_sent_again(settings, store, comet):
    registry = Registry.open(settings)
    registry.register("a", "a test", "owner/name", {}, NOON)
    registry.promote("a", "the first", NOON, override=True)
    registry.close()
    worker.send_again(settings, None)
    sent = decided(comet)
    assert sum(name.startswith("promotion_") for name in sent) == 1
    assert sum(name.startswith("model_") for name in sent) == 2
    for experiment in comet.experiments.values():
        experiment.assets.clear()
    worker.send_again(settings, None)
    assert decided(comet) == sent


def test_status_reports_records_that_comet_has_lost(settings, store, comet):
    fill(store)
    daily = Pace(poll=0.02, first_pause=0.01, longest_pause=0.05, sample_every=timedelta(0))
    Sender(settings, store, daily).run(until_empty=True)
    Sender(settings, store, daily).run(until_empty=True)
    assert comet_state(store).sentence == ""
    for experiment in comet.experiments.values():
        experiment.assets.clear()
    Sender(settings, store, daily).run(until_empty=True)
    state = comet_state(store)
    assert state.connected and state.sentence == (
        "Comet lacks 2 of 2 records that were looked up. Run python -m vibecheck send --again."
    )
    worker.send_again(settings, None)
    assert comet_state(store).sentence == ""
    assert [row for row in queued(store) if row.kind != "rollup"] == []


@pytest.mark.slow
def test_records_made_without_an_account_are_sent_too(settings, comet):
    before = Store.open(settings.records_url, settings.images_url, sends=False)
    first, second = fill(before)
    assert queued(before) == []
    before.close()
    assert worker.send_again(settings, None) == 5
    assert {first.picture_name, f"prediction_{second.id}.json"} <= set(comet.names())
    assert sorted(comet.points("confidence")) == [first.confidence, second.confidence]


def test_prediction_whose_picture_is_lost_here_is_sent_again_once_without_it(settings, store, comet):
    first, _ = fill(store)
    Sender(settings, store, FAST).run(until_empty=True)
    for experiment in comet.experiments.values():
        experiment.assets.clear()
    store.pictures.delete(first.id)
    assert worker.send_again(settings, None) == 5
    assert f"prediction_{first.id}.json" in comet.names()
    assert worker.send_again(settings, None) == 0
    assert resend.count_missing(Comet.open(settings), store) == {"checked": 2, "missing": 0}


def test_synthetic_records_are_not_looked_up_in_comet(settings, store):
    store.add(a_prediction(model_version="demo-1"), None, ORIGIN)
    assert resend.count_missing(Comet.open(settings), store) == {"checked": 0, "missing": 0}
