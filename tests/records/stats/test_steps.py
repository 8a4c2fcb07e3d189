from datetime import date, timedelta

import pytest

from vibecheck.records.stats.steps import STEPS, first_day, next_step

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize("step", STEPS)
def test_every_day_belongs_to_exactly_one_step(step):
    for ago in range(120):
        day = TODAY - timedelta(days=ago)
        start = first_day(day, TODAY, step)
        assert start <= day < next_step(start, step)
        assert first_day(start, TODAY, step) == start
