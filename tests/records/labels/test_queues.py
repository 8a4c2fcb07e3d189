import random
from datetime import timedelta

import pytest
from sqlalchemy import event, insert, text

from tests.records.examples import JPEG, NOON, a_prediction
from vibecheck.emotions import NAMES
from vibecheck.errors import UnknownPrediction
from vibecheck.records.db.rows import prediction_row
from vibecheck.records.db.tables import predictions
from vibecheck.records.db.transactions import writing
from vibecheck.records.labels.pagination import Filters
from vibecheck.records.labels.queues import LabellerCount
from vibecheck.records.values import CANT_TELL

MINUTE = timedelta(minutes=1)


def add(store, **changes):
    prediction = a_prediction(**changes)
    store.add(prediction, JPEG if prediction.picture_kept else None)
    return prediction


def shown(store, *, after=None, limit=100, **filters):
    return [each.prediction for each in store.page(Filters(**filters), after, limit)]


def sure(mood, confidence):
    rest = (1 - confidence) / 6
    shares = tuple(confidence if name == mood else rest for name in NAMES)
    return {"mood": mood, "confidence": confidence, "probabilities": shares}


def test_pages_list_all_predictions_newest_first(store):
    made = [add(store, made_at=NOON + (number // 3) * MINUTE) for number in range(10)]  # three at a time
    newest = sorted(made, key=lambda each: (each.made_at, each.id), reverse=True)
    pages, after = [], None
    while found := store.page(Filters(), after, 4):
        pages.append([each.prediction for each in found])
        after = found[-1].cursor
    assert pages == [newest[:4], newest[4:8], newest[8:]]


def test_new_predictions_do_not_shift_the_next_page(store):
    made = [add(store, made_at=NOON + number * MINUTE) for number in range(4)]
    after = store.page(Filters(), None, 2)[-1].cursor
    add(store, made_at=NOON + 9 * MINUTE)
    assert shown(store, after=after) == [made[1], made[0]]


def test_page_lists_each_prediction_with_its_labels(store):
    first, second = add(store), add(store, made_at=NOON - MINUTE)
    labels = (
        store.label(first.id, "sad", "audit", "me", NOON),
        store.label(first.id, "fear", "labeller", "you", NOON, "useful"),
    )
    one, other = store.page(Filters(), None, 10)
    assert (one.prediction, one.labels, one.label) == (first, labels, labels[1])
    assert (other.prediction, other.labels, other.label) == (second, (), None)
    assert store.labelled(first.id) == one
    with pytest.raises(UnknownPrediction):
        store.labelled("0" * 31 + "1")


def test_filters_select_the_matching_predictions(store):
    right = add(store, mood="happy", visitor="me", picture_kept=True)
    wrong = add(store, mood="happy", visitor="you", made_at=NOON + MINUTE, model_version="v2")
    unclear = add(store, **sure("sad", 0.6), made_at=NOON + 2 * MINUTE)
    unsure = add(store, **sure("sad", 0.49), made_at=NOON + 3 * MINUTE)
    store.label(right.id, "happy", "audit", "me", NOON)
    store.label(wrong.id, "happy", "audit", "you", NOON)
    store.label(wrong.id, "angry", "labeller", None, NOON)
    store.label(unclear.id, CANT_TELL, "labeller", None, NOON)
    assert shown(store) == [unsure, unclear, wrong, right]
    assert shown(store, visitor="me") == [right]
    assert shown(store, unlabelled=True) == [unsure]
    assert shown(store, disagreed=True) == [wrong], "what nobody can tell is no disagreement"
    assert shown(store, unsure=True) == [unsure]
    assert shown(store, with_picture=True) == [right]
    assert shown(store, mood="happy") == [wrong, right]
    assert shown(store, model_version="v2") == [wrong]
    assert shown(store, since=NOON + MINUTE, before=NOON + 3 * MINUTE) == [unclear, wrong]
    assert shown(store, mood="sad", unsure=True, unlabelled=True) == [unsure]
    assert shown(store, mood="fear") == []


def test_useful_queue_prefers_uncertain_predictions_of_rarely_labelled_moods(store):
    for _ in range(8):
        store.label(add(store).id, "happy", "audit", None, NOON)
    happy = add(store, **sure("happy", 0.4), picture_kept=True)
    unsure_happy = add(store, **sure("happy", 0.2), picture_kept=True)
    disgust = add(store, **sure("disgust", 0.6), picture_kept=True)
    add(store, **sure("fear", 0.2))  # without a picture
    labelled = add(store, **sure("fear", 0.2), picture_kept=True)
    store.label(labelled.id, "sad", "volunteered", None, NOON)
    # 0.4 / 1 for the one mood without labels, 0.8 / 3 and 0.6 / 3 for that with eight
    assert [each.prediction for each in store.queues.next("useful", 9)] == [disgust, unsure_happy, happy]
    assert [each.prediction for each in store.queues.next("useful", 1)] == [disgust]
    assert store.queues.lengths() == {"useful": 3, "random": 4}


def test_random_queue_drops_only_pictures_labelled_from_that_queue(store):
    made = [add(store, picture_kept=True) for _ in range(6)]
    add(store)  # without a picture
    in_order = sorted(made, key=lambda each: each.id)
    # Neither what its visitor said nor what a labeller said elsewhere takes a picture out.
    store.label(in_order[1].id, "sad", "audit", "me", NOON)
    store.label(in_order[2].id, "sad", "labeller", "you", NOON, "useful")
    assert [each.prediction for each in store.queues.next("random", 4)] == in_order[:4]
    store.label(in_order[0].id, CANT_TELL, "labeller", "you", NOON, "random")
    store.label(in_order[1].id, "sad", "labeller", "you", NOON, "random")
    assert [each.prediction for each in store.queues.next("random", 9)] == in_order[2:]
    assert store.queues.lengths()["random"] == 4
    store.undo_label(in_order[0].id, 1, "you", NOON)
    assert store.queues.next("random", 1)[0].prediction == in_order[0]
    # One that comes in later has its place in the order like the others.
    early = add(store, id="0" * 31 + "1", picture_kept=True)
    assert store.queues.next("random", 1)[0].prediction == early


def test_queues_of_an_empty_store_are_empty(store):
    assert (store.queues.next("useful", 5), store.queues.next("random", 5)) == ([], [])
    assert store.queues.lengths() == {"useful": 0, "random": 0}


def test_labels_are_counted_by_labeller_and_queue(store):
    one, other = add(store), add(store)
    for prediction, queue in ((one, "random"), (one, "useful"), (other, "random")):
        store.label(prediction.id, "sad", "labeller", "a1", NOON, queue)
    store.label(one.id, "sad", "labeller", "b2", NOON)
    store.label(one.id, "fear", "audit", "me", NOON)
    assert store.queues.labellers() == [
        LabellerCount("a1", "random", 2),
        LabellerCount("a1", "useful", 1),
        LabellerCount("b2", None, 1),
    ]


PLANNED = {
    "everyone's": lambda store: shown(store, limit=24),
    "later": lambda store: shown(store, limit=24, after=(NOON - 900 * MINUTE, "8" * 32)),
    "a visitor's": lambda store: shown(store, limit=24, visitor="v7"),
    "unlabelled": lambda store: shown(store, limit=24, unlabelled=True),
    "unsure": lambda store: shown(store, limit=24, unsure=True),
    "disagreed": lambda store: shown(store, limit=24, disagreed=True),
    "a mood": lambda store: shown(store, limit=24, mood="fear"),
    "a model": lambda store: shown(store, limit=24, model_version="v2"),
    "dates": lambda store: shown(store, limit=24, since=NOON - 900 * MINUTE, before=NOON - 800 * MINUTE),
    "useful": lambda store: store.queues.next("useful", 24),
    "random": lambda store: store.queues.next("random", 24),
    "left": lambda store: store.queues.lengths(),
    "one": lambda store: shown(store, limit=1),
}


def test_no_query_scans_all_predictions(store, engine):
    """Each statement is explained: it searches or walks an index, and never the table of predictions."""
    rng = random.Random(0)
    rows = [
        prediction_row(
            a_prediction(
                made_at=NOON - number * MINUTE,
                **sure(rng.choice(NAMES), rng.choice([0.4] + [0.9] * 20)),
                visitor=f"v{number % 50}",
                model_version="v2" if number % 40 == 0 else "v1",
                picture_kept=number % 3 == 0,
            )
        )
        | {"label": None if number % 100 == 0 else "sad", "judged": number % 100 != 1}
        for number in range(800)
    ]
    with writing(engine) as connection:
        connection.execute(insert(predictions), rows)
        connection.execute(text("UPDATE predictions SET label = mood WHERE label IS NOT NULL AND id > '1'"))
        connection.execute(text("ANALYZE"))
    explain = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}[engine.dialect.name]
    walked = ("SCAN predictions\n", "Seq Scan on predictions")
    asked: list[tuple] = []
    # the store has an engine of its own
    event.listen(store._engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    for question, ask in PLANNED.items():
        asked.clear()
        ask(store)
        plans = []
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":  # which else reads a table as small as this one at once
                connection.execute(text("SET enable_seqscan = off"))
            for statement, parameters in asked:
                if statement.startswith(("SELECT", "WITH")):
                    found = connection.exec_driver_sql(explain + statement, parameters).all()
                    plans.append("\n".join(str(row[-1]) for row in found))
        assert plans, question
        for plan in plans:
            assert not any(each in plan + "\n" for each in walked), (question, plan)
