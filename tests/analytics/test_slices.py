import numpy as np
import pytest

from tests.analytics.tallies import independent, tally
from vibecheck.analytics.slices import slices
from vibecheck.records.stats.results import VisitorTally
from vibecheck.records.stats.visitor_tallies import Groups


def group(what: str, name: str, n: int, correct: int, all_n: int = 260, all_correct: int = 180) -> Groups:
    return {(what, name): (independent(correct, n), independent(all_correct - correct, all_n - n))}


def test_slice_with_the_lowest_accuracy_comes_first_and_is_marked():
    groups = (
        group("light", "Dark (under 60)", 60, 20)
        | group("light", "Good light", 200, 160)
        | group("source", "live", 130, 92)
        | group("source", "photo", 130, 88)
        | group("mood", "sad", 4, 0)
    )
    found = slices(groups)
    assert next((s.what, s.name) for s in found) == ("Light", "Dark (under 60)")
    assert found[0].stands_out and found[0].worse
    assert not any(s.stands_out for s in found if s.what == "Source")
    values = [s.accuracy.value for s in found[:-1]]
    assert values == sorted(values) and found[-1].name == "Shown as sad", "few audits come last"


def test_p_values_are_fishers_times_the_holm_factor():
    from scipy.stats import fisher_exact

    groups = group("light", "a", 60, 20) | group("blur", "b", 130, 80) | group("size", "c", 130, 95)
    # Of n independent answers n - 1 count, as their variance is estimated. Rows: the slice and all others.
    a = fisher_exact([[20, 39], [159, 40]]).pvalue
    b = fisher_exact([[79, 50], [99, 30]]).pvalue
    c = fisher_exact([[94, 35], [84, 45]]).pvalue
    assert 3 * a < 2 * b < c < 1
    assert {s.name: s.p_value for s in slices(groups)} == pytest.approx({"a": 3 * a, "b": 2 * b, "c": c})


def test_one_visitor_cannot_make_a_slice_significant():
    groups = {("light", "Dark"): (tally([False] * 60, [True], [True]), independent(180, 200))}
    assert not slices(groups)[0].stands_out


def test_slice_of_all_answers_has_no_comparison():
    found = slices({("source", "live"): (independent(4, 10), VisitorTally())})
    assert [(s.what, s.name, s.p_value) for s in found] == [("Source", "Live video", None)]


def test_slices_without_a_difference_are_rarely_significant():
    """Under no difference at all, a false alarm anywhere is rarer than one in twenty (Holm)."""
    rng, alarms = np.random.default_rng(3), 0
    for _ in range(200):
        right, where = rng.random(400) < 0.7, rng.integers(0, 4, 400)
        total = int(right.sum())
        groups = {}
        for i in range(4):
            groups |= group(
                "light", str(i), int((where == i).sum()), int(right[where == i].sum()), 400, total
            )
        alarms += any(s.stands_out for s in slices(groups))
    assert alarms <= 16


def test_no_groups_give_no_slices():
    assert slices({}) == []
