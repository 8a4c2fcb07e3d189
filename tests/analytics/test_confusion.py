import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from vibecheck.analytics.confusion import confusion
from vibecheck.emotions import NAMES
from vibecheck.records.stats.results import Cell


def counted(pairs: list[tuple[int, int]]) -> list[Cell]:
    return [Cell(NAMES[a], NAMES[b], pairs.count((a, b))) for a, b in sorted(set(pairs))]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=80))
def test_the_matrix_is_that_of_scikit_learn(pairs):
    found = confusion(counted(pairs))
    assert found.total == len(pairs)
    assert found.mistakes == sum(a != b for a, b in pairs)
    assert sum(pair.of_mistakes.k for pair in found.pairs) == found.mistakes
    if pairs:
        truth, answer = zip(*pairs, strict=True)
        assert np.array_equal(found.counts, confusion_matrix(truth, answer, labels=range(7)))


def test_the_pair_is_counted_both_ways_round():
    cells = [Cell("sad", "neutral", 19), Cell("neutral", "sad", 12), Cell("fear", "surprise", 30)]
    first, second = confusion([*cells, Cell("happy", "happy", 400)]).pairs
    assert {first.first, first.second} == {"neutral", "sad"} and first.of_mistakes.k == 31
    assert (second.of_mistakes.k, second.of_mistakes.n) == (30, 61)


def test_rows_are_shares_of_what_was_there():
    found = confusion([Cell("sad", "sad", 3), Cell("sad", "neutral", 1)])
    row = found.rows[NAMES.index("sad")]
    assert row[NAMES.index("sad")] == pytest.approx(0.75) and sum(row) == pytest.approx(1)
    assert found.rows[NAMES.index("angry")] == (None,) * 7


def test_all_right_and_nothing_have_no_pairs():
    assert confusion([Cell("happy", "happy", 5)]).pairs == ()
    assert (confusion([]).total, confusion([]).pairs) == (0, ())
