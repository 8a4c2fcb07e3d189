from datetime import timedelta

import pytest

from tests.records.examples import JPEG, NOON, a_prediction
from tests.records.rows import engine_of
from vibecheck.records.db.transactions import reading
from vibecheck.records.labels import second_labels
from vibecheck.records.labels.pagination import Filters
from vibecheck.records.labels.queues import LabellerCount
from vibecheck.records.stats.results import LabelPair, Scope
from vibecheck.records.values import CANT_TELL

# The last three digits of its id decide whether a face is drawn.
DRAWN, NOT_DRAWN = "2" * 29 + "199", "1" * 29 + "19a"


@pytest.fixture
def faces(store):
    """Two pictures in the random queue, of which the second one is also for a second labeller."""
    for prediction_id in (NOT_DRAWN, DRAWN):
        store.add(a_prediction(id=prediction_id, picture_kept=True, visitor="theirs"), JPEG)
    return store


def queue_of(store, labeller: str) -> list[str]:
    found = [each.prediction.id for each in store.queues.next("random", 9, labeller)]
    assert store.queues.lengths(labeller)["random"] == len(found)
    return found


def label(store, prediction_id: str, mood: str, labeller: str, minutes: int = 0):
    return store.label(prediction_id, mood, "labeller", labeller, NOON + timedelta(minutes=minutes), "random")


def test_drawn_face_is_shown_to_one_other_labeller_and_never_twice(faces):
    assert queue_of(faces, "ann") == queue_of(faces, "ben") == [NOT_DRAWN, DRAWN]
    for prediction_id in (NOT_DRAWN, DRAWN):
        label(faces, prediction_id, "sad", "ann")
    assert queue_of(faces, "ann") == [], "never to the same labeller"
    assert queue_of(faces, "ben") == queue_of(faces, "cat") == [DRAWN]
    label(faces, DRAWN, "fear", "ben")
    assert queue_of(faces, "ben") == queue_of(faces, "cat") == []


def test_one_face_in_ten_is_drawn_by_its_last_digits(store):
    ids = ["3" * 29 + end for end in ("000", "0ff", "199", "19a", "1a0", "200", "900", "a00", "fff")]
    for prediction_id in ids:
        store.add(a_prediction(id=prediction_id, picture_kept=True), JPEG)
        label(store, prediction_id, "sad", "ann")
    assert queue_of(store, "ben") == ids[:3]


def test_labeller_who_has_seen_the_answer_gives_no_second_label(faces):
    label(faces, DRAWN, "sad", "ann")
    faces.label(DRAWN, "happy", "labeller", "ben", NOON, "useful")
    assert DRAWN not in queue_of(faces, "ben")
    assert DRAWN not in queue_of(faces, "theirs"), "it is their own face"
    assert DRAWN in queue_of(faces, "cat")


def test_filter_by_labeller_finds_their_second_labels(faces):
    label(faces, DRAWN, "sad", "ann")
    label(faces, DRAWN, "fear", "ben", 1)
    counted = {each.given_by: each.labels for each in faces.queues.labellers()}
    for who in ("ann", "ben"):
        found = faces.page(Filters(labeller=who), None, 9)
        assert [each.prediction.id for each in found] == [DRAWN] and counted[who] == 1


def test_a_second_label_changes_neither_the_effective_label_nor_any_accuracy(faces):
    first = label(faces, DRAWN, "sad", "ann")
    before = (
        faces.statistics.answers(Scope()),
        faces.statistics.drawn(Scope()).tally(),
        faces.trainable.counts(),
    )
    second = label(faces, DRAWN, "fear", "ben", 1)
    assert (second.source, second.queue, second.n) == ("second", None, 2)
    found = faces.labelled(DRAWN)
    assert found.label == found.random_label == first and found.labels == (first, second)
    assert not found.disputed, "it is still trained on and judged by"
    after = (
        faces.statistics.answers(Scope()),
        faces.statistics.drawn(Scope()).tally(),
        faces.trainable.counts(),
    )
    assert after == before
    assert [each.prediction.id for each in faces.page(Filters(disagreed=True), None, 9)] == [DRAWN]
    assert faces.queues.labellers() == [LabellerCount("ann", "random", 1), LabellerCount("ben", "random", 1)]


def test_two_labellers_who_see_the_same_face_at_once_give_a_first_and_a_second_label(faces):
    given = [label(faces, NOT_DRAWN, mood, labeller) for mood, labeller in (("sad", "ann"), ("fear", "ben"))]
    assert [each.source for each in given] == ["labeller", "second"]
    assert faces.labelled(NOT_DRAWN).label == given[0]


def test_a_labeller_who_changes_their_mind_gives_no_second_label(faces):
    label(faces, DRAWN, "sad", "ann")
    assert label(faces, DRAWN, "fear", "ann").source == "labeller"
    assert faces.labelled(DRAWN).label.label == "fear"


def test_undone_label_returns_the_face_to_the_queue(faces):
    first, second = label(faces, DRAWN, "sad", "ann"), label(faces, DRAWN, "fear", "ben")
    faces.undo_label(DRAWN, second.n, "ben", NOON)
    assert DRAWN in queue_of(faces, "ben") and DRAWN not in queue_of(faces, "ann")
    label(faces, DRAWN, "fear", "ben")
    faces.undo_label(DRAWN, first.n, "ann", NOON)
    assert faces.labelled(DRAWN).label is None
    assert not any(each.n for each in faces.trainable.counts()), "what is left only measures agreement"
    assert DRAWN in queue_of(faces, "cat") and DRAWN not in queue_of(faces, "ben")


def test_pairs_are_the_first_and_the_second_label_of_a_face(faces):
    label(faces, DRAWN, "sad", "ann")
    label(faces, DRAWN, "fear", "ben")
    label(faces, NOT_DRAWN, "sad", "ann")
    label(faces, NOT_DRAWN, CANT_TELL, "ben")
    (pair,) = faces.statistics.label_pairs()
    prediction = faces.get(DRAWN)
    assert pair == LabelPair(
        DRAWN, "theirs", prediction.model_version, prediction.mood, "sad", "ann", "fear", "ben"
    )
    assert not pair.agree


def test_a_deleted_prediction_takes_its_second_label_with_it(faces):
    label(faces, DRAWN, "sad", "ann")
    label(faces, DRAWN, "fear", "ben")
    faces.forget([DRAWN], NOON)
    with reading(engine_of(faces)) as connection:
        assert second_labels.pairs(connection) == []
    assert faces.queues.labellers() == []
