from dataclasses import replace

import pytest

from tests.records.examples import JPEG, NOON, a_prediction
from vibecheck.models.registry import Registry
from vibecheck.records.labels.training_sets import TrainingSets


@pytest.fixture
def labelled(store):
    """Adds a prediction with a picture and some labels, each (label, source) or (label, source, queue)."""

    def add(*labels, **changes):
        made = a_prediction(picture_kept=True, **changes)
        store.add(made, JPEG)
        for number, (label, source, *queue) in enumerate(labels):
            store.label(made.id, label, source, str(number), NOON, *queue)
        return made

    return add


def test_cases_are_the_labelled_predictions_with_pictures(store, engine, labelled):
    first = labelled(("sad", "volunteered"), ("fear", "labeller"))
    labelled()
    bare = a_prediction()
    store.add(bare, None)
    store.label(bare.id, "sad", "audit", None, NOON)
    (case,) = TrainingSets(engine).labelled()
    assert case.prediction == first and case.label.label == "fear"
    assert [each.label for each in case.labels] == ["sad", "fear"]
    assert case.side is None


@pytest.mark.parametrize(
    ("labels", "audit", "drawn"),
    [
        ([("sad", "audit")], True, "sad"),
        ([("sad", "audit")], False, None),
        ([("sad", "volunteered")], True, None),
        ([("sad", "import")], False, "sad"),
        ([("sad", "labeller", "random")], False, "sad"),
        ([("sad", "labeller", "useful")], False, None),
        # What somebody said later, having seen the answer, does not undo that it was drawn.
        ([("sad", "audit"), ("fear", "volunteered")], True, "sad"),
        ([("sad", "labeller", "random"), ("fear", "labeller")], False, "sad"),
    ],
)
def test_only_labels_drawn_without_seeing_the_answer_count_as_random(engine, labelled, labels, audit, drawn):
    labelled(*labels, audit=audit)
    (case,) = TrainingSets(engine).labelled()
    assert (case.random_label and case.random_label.label) == drawn


def test_side_of_a_prediction_is_assigned_once_and_stays(engine, labelled):
    made = labelled(("sad", "audit"))
    assert TrainingSets(engine).assign({made.id: "held_out"}, NOON) == {made.id: "held_out"}
    assert TrainingSets(engine).assign({made.id: "train"}, NOON) == {made.id: "held_out"}
    assert TrainingSets(engine).labelled()[0].side == "held_out"
    assert TrainingSets(engine).sides([made.id, "f" * 32]) == {made.id: "held_out"}


def test_predictions_that_a_model_trained_on_stay_on_the_training_side(engine, labelled):
    made, gone = labelled(("sad", "audit")), "e" * 32
    Registry(engine).register("m-1", "here", "folder", {}, NOON, [made.id, gone])
    assert TrainingSets(engine).labelled()[0].side == "train"
    assert TrainingSets(engine).assign({made.id: "held_out"}, NOON) == {made.id: "train"}
    assert TrainingSets(engine).labelled()[0].side == "train"
    assert TrainingSets(engine).sides([gone]) == {gone: "train"}


def test_ids_without_a_prediction_get_the_requested_side_and_store_none(engine):
    wanted = {"a" * 32: "train", "b" * 32: "held_out"}
    assert TrainingSets(engine).assign(wanted, NOON) == wanted
    assert TrainingSets(engine).sides(wanted) == {}


def test_side_is_deleted_with_its_prediction(store, engine, labelled):
    made = labelled(("sad", "audit"))
    TrainingSets(engine).assign({made.id: "held_out"}, NOON)
    store.forget([made.id], NOON)
    store.add(replace(made), JPEG)
    store.label(made.id, "sad", "audit", None, NOON)
    assert TrainingSets(engine).labelled()[0].side is None
