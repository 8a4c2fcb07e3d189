import pytest

from tests.analytics.tallies import cell, confused
from vibecheck.analytics.confusion import confusion
from vibecheck.emotions import NAMES
from vibecheck.records.stats.results import VisitorTally


def test_the_matrix_holds_the_answers_in_the_order_of_the_moods():
    found = confusion(cell("sad", "neutral", 19) | cell("happy", "happy", 9), {})
    assert found.total == 28
    assert found.counts[NAMES.index("sad")][NAMES.index("neutral")] == 19


def test_the_most_confused_pair_comes_first_by_votes_of_visitors():
    often = VisitorTally(61, 40, 20, 1.0, 1.0)  # forty times, by one visitor
    pairs = {("fear", "surprise"): often, ("neutral", "sad"): VisitorTally(61, 21, 20, 14.0, 12.0)}
    found = confusion({}, pairs)
    first, second = found.pairs
    assert (first.first, first.second, first.of_mistakes.k) == ("neutral", "sad", 21)
    assert second.of_mistakes.value == pytest.approx(1 / 20)


def test_confusion_rows_are_shares_of_the_true_label():
    found = confusion(cell("sad", "sad", 3) | cell("sad", "neutral", 1), {})
    row = found.rows[NAMES.index("sad")]
    assert row[NAMES.index("sad")] == pytest.approx(0.75) and sum(row) == pytest.approx(1)
    assert found.rows[NAMES.index("angry")] == (None,) * 7


def test_each_visitor_has_one_vote_per_confusion_row():
    found = confusion({("sad", "sad"): (2, 2.0), ("sad", "neutral"): (30, 1.0)}, {})
    assert found.rows[NAMES.index("sad")][NAMES.index("neutral")] == pytest.approx(1 / 3)


def test_confusion_without_mistakes_has_no_pairs():
    assert confusion(cell("happy", "happy", 5), {}).pairs == ()
    assert (confusion({}, {}).total, confusion({}, {}).pairs) == (0, ())
    assert confusion({}, confused("fear", "sad", 1, 1)).pairs[0].of_mistakes.value == 1
