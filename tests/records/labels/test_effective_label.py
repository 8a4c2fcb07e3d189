from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import select

from tests.records.examples import NOON, a_prediction
from vibecheck.records.db.tables import feedback, predictions
from vibecheck.records.db.transactions import reading
from vibecheck.records.labels.effective_label import effective_label, is_effective

SOURCES = ("audit", "volunteered", "labeller", "labeller", "import")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([("sad", "audit"), ("fear", "volunteered")], "fear"),
        ([("sad", "labeller"), ("fear", "volunteered")], "sad"),
        ([("happy", "audit"), ("sad", "labeller"), ("fear", "labeller")], "fear"),
        ([("sad", "labeller"), ("cant_tell", "labeller"), ("fear", "import")], "cant_tell"),
    ],
)
def test_newest_label_is_effective_and_labellers_override_visitors(store, engine, given, expected):
    made = a_prediction()
    store.add(made, None)
    for number, (label, source) in enumerate(given):
        store.label(made.id, label, source, str(number), NOON + timedelta(seconds=number))
    assert store.labelled(made.id).label.label == expected
    assert [label.label for _, label in store.history()] == [expected]
    with reading(engine) as connection:
        noted = connection.execute(select(predictions.c.label).where(predictions.c.id == made.id)).scalar()
    assert noted == expected


def test_python_and_sql_choose_the_same_effective_label(store, engine):
    for sources in set(permutations(SOURCES, 3)):
        made = a_prediction()
        store.add(made, None)
        for number, source in enumerate(sources):
            store.label(made.id, "sad", source, str(number), NOON)
        with reading(engine) as connection:
            mine = feedback.c.prediction_id == made.id
            held = connection.execute(select(feedback.c.n).where(mine, is_effective())).scalars().all()
        assert held == [effective_label(store.feedback_of(made.id)).n]


def test_no_label_is_effective_without_feedback():
    assert effective_label([]) is None
