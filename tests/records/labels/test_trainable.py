from datetime import timedelta

import pytest

from tests.records.examples import JPEG, NOON, a_prediction
from tests.records.rows import engine_of
from vibecheck.records.labels.trainable import TrainableLabels
from vibecheck.records.values import CANT_TELL

DAY = timedelta(days=1)


@pytest.fixture
def learnable(store) -> TrainableLabels:
    return TrainableLabels(engine_of(store))


def labelled(store, *labels: tuple[str, str], kept: bool = True, at=NOON, **changes) -> str:
    """A prediction (of happy) with labels, each with its source; returns its id."""
    prediction = a_prediction(made_at=NOON - DAY, picture_kept=kept, **changes)
    store.add(prediction, JPEG if kept else None)
    for number, (label, source) in enumerate(labels):
        store.label(prediction.id, label, source, None, at + timedelta(minutes=number))
    return prediction.id


def counted(found) -> dict:
    return {each.label: (each.n, each.right) for each in found if each.n}


def test_effective_labels_with_a_picture_are_counted_by_mood(store, learnable):
    labelled(store, ("happy", "audit"))
    labelled(store, ("sad", "volunteered"))
    labelled(store, ("fear", "labeller"), ("sad", "volunteered"))  # a labeller's word goes before
    labelled(store, ("angry", "audit"), kept=False)
    labelled(store, (CANT_TELL, "labeller"))
    labelled(store)
    assert counted(learnable.counts()) == {"happy": (1, 1), "sad": (1, 0), "fear": (1, 0)}


def test_only_labels_given_since_the_start_time_count(store, learnable):
    labelled(store, ("happy", "audit"), at=NOON - 2 * DAY)
    new = labelled(store, ("sad", "audit"), at=NOON)
    assert counted(learnable.counts(NOON)) == {"sad": (1, 0)}
    assert [each.prediction_id for each in learnable.newest(5, NOON)] == [new]


def test_newest_labels_come_first_and_can_be_filtered_by_mood(store, learnable):
    first = labelled(store, ("sad", "audit"), at=NOON)
    second = labelled(store, ("fear", "labeller"), at=NOON + DAY)
    assert [(e.prediction_id, e.label, e.mood, e.kind) for e in learnable.newest(2)] == [
        (second, "fear", "happy", "labeller"), (first, "sad", "happy", "audit"),
    ]  # fmt: skip
    assert [each.prediction_id for each in learnable.newest(1)] == [second]
    assert [each.prediction_id for each in learnable.newest(5, label="sad")] == [first]
