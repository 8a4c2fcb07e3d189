import numpy as np
from scipy.stats import fisher_exact

from vibecheck.analytics.slices import slices
from vibecheck.records.stats.results import Cell, Group


def cells(correct: int, wrong: int) -> list[Cell]:
    return [Cell("happy", "happy", correct), Cell("sad", "happy", wrong)]


def test_the_worst_comes_first_and_stands_out():
    groups = [
        Group("light", "Dark (under 60)", 60, 20),
        Group("light", "Good light", 200, 160),
        Group("source", "live", 130, 92),
        Group("source", "photo", 130, 88),
    ]
    found = slices(groups, cells(180, 80))
    assert next((s.what, s.name) for s in found) == ("Light", "Dark (under 60)")
    assert found[0].stands_out and found[0].worse
    assert not any(s.stands_out for s in found if s.what == "Source")


def test_p_values_are_fishers_times_the_holm_factor():
    groups = [Group("light", "a", 60, 20), Group("light", "b", 200, 160), Group("blur", "c", 130, 95)]
    found = {s.name: s.p_value for s in slices(groups, cells(180, 80))}
    raw = {g.name: fisher_exact([[g.correct, g.n - g.correct], [180 - g.correct, 80 - g.n + g.correct]])[1]
           for g in groups}  # fmt: skip
    smallest = min(raw, key=raw.get)
    assert np.isclose(found[smallest], min(1, raw[smallest] * 3))


def test_what_holds_everything_compares_with_nothing():
    found = slices([Group("source", "live", 10, 4)], cells(4, 6))
    assert {(s.what, s.p_value) for s in found} == {("Source", None), ("Mood shown", None)}


def test_fifteen_bins_of_confidence_are_taken_by_threes():
    from vibecheck.records.stats.bins import CONFIDENCE

    groups = [Group("confidence", name, 10, 5) for name in CONFIDENCE.names]
    found = [s for s in slices(groups, cells(75, 75)) if s.what == "Confidence"]
    assert len(found) == 5 and {s.accuracy.n for s in found} == {30}
    assert "Confidence 80% to 100%" in {s.name for s in found}


def test_one_difference_among_noise_is_found_and_noise_is_not():
    """Under no difference at all, a false alarm anywhere is rarer than one in twenty (Holm)."""
    rng, alarms = np.random.default_rng(3), 0
    for _ in range(200):
        right, where = rng.random(400) < 0.7, rng.integers(0, 4, 400)
        groups = [
            Group("light", str(i), int((where == i).sum()), int(right[where == i].sum())) for i in range(4)
        ]
        alarms += any(s.stands_out for s in slices(groups, cells(int(right.sum()), int((~right).sum()))))
    assert alarms <= 16


def test_nothing_has_no_slices():
    assert slices([], []) == []
