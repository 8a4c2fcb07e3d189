"""Which labels judge two models: requested at random, of people neither learned from, few of each a day."""

from datetime import timedelta

import pytest

from tests.records.examples import JPEG, NOON, a_prediction
from tests.records.rows import engine_of
from vibecheck.models.registry import Registry
from vibecheck.records.labels.judging_labels import judged
from vibecheck.records.readings import ShadowReading
from vibecheck.records.stats.results import Scope
from vibecheck.records.stats.summaries import MOST_A_DAY

FIRST, SECOND = "hub/vit", "tuned"


def seen(store, label="sad", source="audit", queue=None, at=NOON, read=(FIRST, SECOND), **changes) -> str:
    """A labelled prediction whose face was read by these models."""
    made = a_prediction(**{"audit": source == "audit", "made_at": at} | changes)
    store.add(made, JPEG if made.picture_kept else None)
    store.readings.add(ShadowReading(made.id, version, made.probabilities, 4.0) for version in read)
    if label:
        store.label(made.id, label, source, None, at, queue)
    return made.id


def judging(store, since=None) -> list[str]:
    found = judged(engine_of(store), (FIRST, SECOND))
    return [each.prediction_id for each in found.between(FIRST, SECOND, since)]


@pytest.fixture
def registry(store) -> Registry:
    return Registry(engine_of(store))


def test_random_labels_of_numbers_only_visitors_are_used_for_judging(store):
    right = [
        seen(store, visitor="a"),
        seen(store, source="import", visitor=None, at=NOON + timedelta(seconds=1)),
        seen(store, source="labeller", queue="random", visitor="b", at=NOON + timedelta(seconds=2)),
    ]
    seen(store, source="volunteered", visitor="c")
    seen(store, source="labeller", queue="useful", visitor="d")
    seen(store, label="cant_tell", visitor="e")
    seen(store, label="", visitor="f")
    seen(store, read=(FIRST,), visitor="g")
    not_drawn = seen(store, label="", visitor="h", audit=False)
    store.label(not_drawn, "sad", "audit", None, NOON)
    assert judging(store) == right


def test_labellers_label_counts_before_audits_and_the_first_audit_before_later_ones(store):
    made = seen(store, "happy")
    store.label(made, "fear", "audit", "me", NOON + timedelta(seconds=5))
    (one,) = judged(engine_of(store), (FIRST, SECOND)).labels
    assert one.label == "happy"
    store.label(made, "sad", "labeller", "you", NOON + timedelta(days=1), "random")
    (one,) = judged(engine_of(store), (FIRST, SECOND)).labels
    assert (one.label, one.given_at) == ("sad", NOON + timedelta(days=1))


def test_labels_given_after_seeing_the_answer_do_not_replace_those_of_the_random_queue(store):
    made = seen(store, "fear", source="labeller", queue="random")
    unclear = seen(store, "cant_tell", source="labeller", queue="random")
    for each in (made, unclear):
        store.label(each, "happy", "labeller", "you", NOON + timedelta(days=1))
        assert store.labelled(each).label.label == "happy", "it is trained on"
    (one,) = judged(engine_of(store), (FIRST, SECOND)).labels
    assert (one.prediction_id, one.label) == (made, store.labelled(made).random_label.label)
    assert store.statistics.drawn(Scope()).tally().n == store.statistics.answers(Scope())["labeller"].n == 1


def test_visitors_trained_on_judge_no_comparison_with_that_model(store, registry):
    learned = seen(store, visitor="taught", picture_kept=True)
    seen(store, visitor="taught")  # a later one, of whom only numbers were kept
    other = seen(store, visitor="other")
    registry.register(SECOND, "a test", "/nowhere", {}, NOON, [learned])
    assert judging(store) == [other]


def test_visitors_that_the_base_was_trained_on_do_not_judge_either(store, registry):
    learned = seen(store, visitor="taught", picture_kept=True)
    own, other = seen(store, visitor="own", picture_kept=True), seen(store, visitor="other")
    registry.register("base", "a test", "/nowhere", {}, NOON, [learned])
    registry.register(SECOND, "a test", "/nowhere", {}, NOON, [own], base="base")
    assert judging(store) == [other]
    registry.register("third", "a test", "/nowhere", {}, NOON, [other])
    assert judging(store) == [other], "what a third model learned from judges these two"


def test_held_out_visit_is_used_for_judging_although_another_visit_was_trained_on(store, registry):
    learned = seen(store, visitor="me", picture_kept=True)
    kept = seen(store, visitor="me", picture_kept=True, at=NOON + timedelta(hours=3))
    store.training_sets.assign({learned: "train", kept: "held_out"}, NOON)
    registry.register(SECOND, "a test", "/nowhere", {}, NOON, [learned])
    assert judging(store) == [kept]


def test_first_three_labels_per_visitor_and_day_are_used_for_judging(store):
    mine = [seen(store, visitor="me", at=NOON + timedelta(minutes=n)) for n in range(MOST_A_DAY + 2)]
    nobodys = [seen(store, visitor=None, at=NOON + timedelta(hours=1, minutes=n)) for n in range(5)]
    tomorrow = seen(store, visitor="me", at=NOON + timedelta(days=1))
    assert judging(store) == [*mine[:MOST_A_DAY], *nobodys, tomorrow]
    store.forget(mine[:1], NOON)
    assert judging(store) == [*mine[1 : MOST_A_DAY + 1], *nobodys, tomorrow]


def test_judging_labels_are_ordered_by_time_and_can_be_limited_to_recent_ones(store):
    late = seen(store, label="", visitor="a")
    early = seen(store, visitor="b", at=NOON + timedelta(minutes=1))
    store.label(late, "sad", "audit", None, NOON + timedelta(days=3))
    assert judging(store) == [early, late]
    assert judging(store, since=NOON + timedelta(days=1)) == [late]


def test_held_out_picture_is_used_for_judging_once_it_is_read(store):
    made = seen(store, read=(), picture_kept=True)
    seen(store, read=())
    store.training_sets.assign({made: "held_out"}, NOON)
    found = judged(engine_of(store), (FIRST, SECOND), unread=True)
    assert [each.prediction_id for each in found.allowed((FIRST, SECOND))] == [made]
    assert judging(store) == []
