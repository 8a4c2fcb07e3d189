"""A few visitors with many answers, or false ones, leave the headline's interval valid."""

import pytest

from benchmarks.influence import simulate


@pytest.mark.parametrize(("eager", "hostile"), [(0, 0.0), (20, 0.0), (0, 0.01), (20, 0.01)])
def test_interval_keeps_its_coverage_with_very_active_and_hostile_visitors(eager, hostile):
    found = simulate(200, eager, hostile, weeks=600, seed=1)
    assert 0.93 <= found.coverage <= 0.97
    if hostile:
        assert found.naive_coverage < 0.5, "an interval over answers would not have it"
