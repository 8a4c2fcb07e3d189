import random

import psutil
import pytest

from vibecheck.training_runs.pace import LATEST, pace


@pytest.mark.parametrize(("load", "factor"), [(0.0, 1.0), (1.0, 1.0), (1.5, 2.0), (2.0, 4.0), (40.0, 4.0)])
def test_other_load_slows_the_estimate_if_there_are_no_past_runs(load, factor):
    assert pace([], threads=1, cores=2, load=load) == pytest.approx(factor)


def test_past_runs_at_a_similar_load_take_precedence_over_the_load():
    assert pace([(2.0, 0.5)], threads=1, cores=2, load=0.0) == 2.0
    runs = [(2.0, 9.0), (2.5, 8.0), (1.0, 9.5)]
    assert pace(runs, threads=1, cores=2, load=9.0) == 2.0
    old = [(100.0, 0.0)] * 20
    latest = [(1.2, 0.0)] * LATEST
    assert pace(latest + old, threads=1, cores=2, load=0.0) == 1.2, "only the latest count"


def test_runs_on_an_idle_machine_do_not_estimate_a_busy_one():
    idle = [(1.0, 0.1)] * LATEST
    assert pace(idle, threads=1, cores=2, load=2.0) == pytest.approx(4.0)
    busy = (3.0, 2.2)
    assert pace([*idle, busy], threads=1, cores=2, load=2.0) == 3.0
    assert pace([busy, *idle], threads=1, cores=2, load=0.0) == 1.0


def test_runs_without_a_recorded_load_count():
    assert pace([(2.0, None)], threads=1, cores=2, load=40.0) == 2.0


def test_estimate_without_past_runs_takes_at_least_as_long_as_on_an_idle_machine():
    assert pace([], threads=3, cores=4, load=psutil.getloadavg()[0]) >= 1.0, "by the load of this machine"


@pytest.mark.parametrize("machine", [0.4, 1.0, 3.0], ids=["fast", "as measured", "slow"])
def test_after_a_run_at_each_load_estimates_are_right_within_a_factor_of_two(machine):
    """On machines of any speed, with a load that comes and goes, and runs that differ by a quarter."""
    rng = random.Random(0)
    past: list[tuple[float, float]] = []
    for number in range(200):
        load = rng.choice([0.0, 0.4, 2.0, 2.4, 6.0])
        share = 1.0 if load < 1 else 0.35 if load < 3 else 0.15
        taken = 10 * machine / share * rng.uniform(0.75, 1.25)
        if number >= 20:
            assert 0.5 < 10 * pace(past, threads=1, cores=2, load=load) / taken < 2
        past.insert(0, (taken / 10, load))
