"""A few keen or hostile visitors leave the headline's interval honest."""

import pytest

from benchmarks.influence import simulate


@pytest.mark.parametrize(("keen", "hostile"), [(0, 0.0), (20, 0.0), (0, 0.01), (20, 0.01)])
def test_one_in_a_hundred_who_lies_and_twenty_who_are_keen_leave_the_coverage(keen, hostile):
    found = simulate(200, keen, hostile, weeks=600, seed=1)
    assert 0.93 <= found.coverage <= 0.97
    if hostile:
        assert found.before < 0.5, "an interval over answers would not have it"
