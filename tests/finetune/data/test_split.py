from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.data.split import split
from vibecheck.records.labels.labelled import HELD_OUT, TRAIN, LabelledPicture
from vibecheck.records.labels.visitor_groups import FEWEST_VISITORS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def row(number: int, visitor: int | None, minute: float = 0.0, side: str | None = None) -> LabelledPicture:
    prediction_id = sha256(str(number).encode()).hexdigest()[:32]
    name = None if visitor is None else sha256(f"visitor {visitor}".encode()).hexdigest()
    made_at = NOON + timedelta(minutes=minute)
    return LabelledPicture(None, None, "sad", name, made_at, prediction_id, side=side)


def crowd(visitors: int, checks: int = 3) -> list[LabelledPicture]:
    return [row(v * checks + i, v, minute=60 * i) for v in range(visitors) for i in range(checks)]


def test_a_fifth_of_the_visitors_are_held_out():
    rows = crowd(2000, checks=1)
    sides, by_visit = split(rows)
    assert not by_visit
    assert sum(side == HELD_OUT for side in sides.values()) / len(rows) == pytest.approx(0.2, abs=0.03)


def test_all_checks_of_a_visitor_are_on_one_side():
    rows = crowd(40, checks=5)
    sides, _ = split(rows)
    of = defaultdict(set)
    for each in rows:
        of[each.visitor].add(sides[each.prediction_id])
    assert all(len(theirs) == 1 for theirs in of.values())
    assert set.union(*of.values()) == {TRAIN, HELD_OUT}


def test_new_visitors_do_not_change_the_side_of_others():
    before, _ = split(crowd(20))
    after, _ = split(crowd(60))
    assert all(after[prediction_id] == side for prediction_id, side in before.items())


def test_few_visitors_are_split_by_visits():
    rows = [row(i, visitor=0, minute=31 * i) for i in range(200)]
    sides, by_visit = split(rows)
    assert by_visit
    assert 0.1 < sum(side == HELD_OUT for side in sides.values()) / 200 < 0.3
    one_visit = [row(i, visitor=0, minute=29 * i) for i in range(200)]
    assert len(set(split(one_visit)[0].values())) == 1


def test_rows_without_a_visitor_are_split_one_by_one():
    sides, by_visit = split([row(i, None) for i in range(500)])
    assert by_visit and len(set(sides.values())) == 2


def test_visitor_trained_on_in_any_visit_is_never_held_out_later():
    theirs = [row(900 + i, 0, 100 * i, side) for i, side in enumerate((TRAIN, HELD_OUT, None, None))]
    sides, by_visit = split(theirs + crowd(50))
    assert not by_visit
    assert [sides[each.prediction_id] for each in theirs] == [TRAIN, HELD_OUT, TRAIN, TRAIN]


rows_strategy = st.lists(
    st.builds(
        row,
        st.integers(0, 10_000),
        st.one_of(st.none(), st.integers(0, 30)),
        st.floats(0, 5000),
        st.sampled_from([None, None, TRAIN, HELD_OUT]),
    ),
    max_size=60,
    unique_by=lambda each: each.prediction_id,
)


@given(rows_strategy)
def test_assigned_sides_never_change(rows):
    sides, _ = split(rows)
    assert set(sides) == {each.prediction_id for each in rows}
    stored = [replace(each, side=sides[each.prediction_id]) for each in rows]
    assert split(stored)[0] == sides
    more = stored + [row(20_000 + i, i) for i in range(FEWEST_VISITORS + 5)]
    after, _ = split(more)
    assert all(after[prediction_id] == side for prediction_id, side in sides.items())


@given(rows_strategy)
def test_order_of_the_rows_does_not_change_the_split(rows):
    assert split(rows)[0] == split(rows[::-1])[0]
