from datetime import date, timedelta

import pytest

from vibecheck.records.stats.steps import STEPS, first_day, next_step, step_start

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize("step", STEPS)
def test_every_day_belongs_to_exactly_one_step(step):
    for ago in range(120):
        day = TODAY - timedelta(days=ago)
        start = first_day(day, TODAY, step)
        assert start <= day < next_step(start, step)
        assert first_day(start, TODAY, step) == start


@pytest.mark.parametrize(("step", "divisor"), [("day", 1), ("week", 7)])
def test_step_number_is_converted_to_the_first_day_of_the_step(step, divisor):
    for ago in range(120):
        assert step_start(ago // divisor, step, TODAY) == first_day(TODAY - timedelta(days=ago), TODAY, step)
    assert step_start(2026 * 12 + 2, "month", TODAY) == date(2026, 3, 1)
