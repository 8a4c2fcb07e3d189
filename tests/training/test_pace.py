import pytest

from vibecheck.training.pace import LATEST, pace


@pytest.mark.parametrize(("load", "factor"), [(0.0, 1.0), (1.0, 1.0), (1.5, 2.0), (2.0, 4.0), (40.0, 4.0)])
def test_without_past_runs_others_load_makes_it_longer(load, factor):
    assert pace([], threads=1, cores=2, load=load) == pytest.approx(factor)


def test_past_runs_on_this_machine_say_more_than_its_load():
    assert pace([(2.0, 4.0)], threads=1, cores=2, load=0.0) == 2.0
    assert pace([(2.0, 4.0), (1.0, 2.5), (4.0, 4.0)], threads=1, cores=2, load=9.0) == 2.0
    old = [(1.0, 100.0)] * 20
    assert pace([(1.0, 1.2)] * LATEST + old, threads=1, cores=2) == 1.2, "only the latest count"


def test_what_cannot_be_compared_is_left_out():
    assert pace([(0.0, 3.0), (2.0, 0.0)], threads=1, cores=2, load=0.0) == 1.0
    assert pace([], threads=3, cores=4) >= 1.0, "by the load of this machine"
