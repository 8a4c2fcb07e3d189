import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibecheck.analytics.drift import drift
from vibecheck.records.stats.bins import SIGNALS
from vibecheck.records.stats.results import Mix

EVEN = (100,) * 7


def mix(moods: tuple[int, ...], light: tuple[int, ...] | None = None, days: int = 7) -> Mix:
    """The same number of predictions, with the same distribution, on each day."""
    n = sum(moods)
    signals = {s.column: (n, *(0,) * (len(s.names) - 1)) for s in SIGNALS}
    signals |= {"light": light} if light else {}
    return Mix(each_day(moods, days), {name: each_day(bins, days) for name, bins in signals.items()})


def each_day(counts: tuple[int, ...], days: int) -> np.ndarray:
    return np.tile(counts, (days, 1)) / days


def test_the_same_mix_does_not_drift():
    found = drift(mix(EVEN), mix(tuple(3 * n for n in EVEN)))
    assert found.shifts and found.drifting == ()
    assert {shift.distance for shift in found.shifts} == {0.0}


def test_darker_light_is_reported_as_drift():
    found = drift(mix(EVEN, (400, 100, 200, 0)), mix(EVEN, (100, 100, 500, 0)))
    (light,) = found.drifting
    assert light.title == "Light" and light.names[light.grown].startswith("Dark")


def test_confidence_that_was_recalibrated_is_no_drift():
    before, now = mix(EVEN), mix(EVEN)
    now.signals["confidence"] = now.signals["confidence"][:, ::-1]
    assert [shift.title for shift in drift(now, before).drifting] == ["Confidence"]
    assert "Confidence" not in [shift.title for shift in drift(now, before, recalibrated=True).shifts]


def test_answers_of_another_model_are_no_drift():
    sad = (700, *(0,) * 6)
    now, before = mix(sad, (400, 100, 200, 0)), mix(EVEN, (100, 100, 500, 0))
    now.signals["confidence"] = now.signals["confidence"][:, ::-1]
    assert {shift.title for shift in drift(now, before).drifting} == {"Moods shown", "Confidence", "Light"}
    assert [shift.title for shift in drift(now, before, replaced=True).drifting] == ["Light"]


def test_negligible_difference_is_not_drift_despite_many_predictions():
    found = drift(mix((105_000, *(100_000,) * 6)), mix((100_000,) * 7))
    moods = next(s for s in found.shifts if s.title == "Moods shown")
    assert moods.p_value < 0.05 and found.drifting == ()


def test_too_few_predictions_give_no_verdict():
    assert not drift(mix((7,) * 7), mix(EVEN)).shifts
    assert not drift(mix((0,) * 7), mix((0,) * 7)).shifts


@given(
    st.lists(st.integers(10, 500), min_size=7, max_size=7),
    st.lists(st.integers(10, 500), min_size=7, max_size=7),
)
def test_distance_is_the_jensen_shannon_distance(here, there):
    p, q = np.array(here) / sum(here), np.array(there) / sum(there)
    m = (p + q) / 2
    divergence = (p * np.log2(p / m)).sum() / 2 + (q * np.log2(q / m)).sum() / 2
    found = drift(mix(tuple(here)), mix(tuple(there)))
    moods = next(s for s in found.shifts if s.title == "Moods shown")
    assert moods.distance == pytest.approx(np.sqrt(max(divergence, 0)), abs=1e-6)
    assert 0 <= moods.p_value <= 1


@pytest.mark.parametrize("light", [(400, 100, 200, 0), (380, 320, 0, 0), (150, 0, 350, 200)])
def test_of_many_days_that_are_alike_the_p_value_is_that_of_the_chi_squared_test(light):
    from scipy.stats import chi2_contingency

    found = drift(mix(EVEN, light, days=5000), mix(EVEN, (300, 250, 150, 0), days=5000))
    table = np.array([light, (300, 250, 150, 0)])
    expected = chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue
    (shift,) = (shift for shift in found.shifts if shift.title == "Light")
    assert shift.p_value == pytest.approx(min(1.0, len(found.shifts) * expected), rel=0.05, abs=1e-9)


def test_visitors_whose_checks_are_alike_are_no_drift():
    """Each visitor has their own light, and checks up to ten times: days differ, but nothing has changed."""
    rng, weeks = np.random.default_rng(3), 100

    def period(days: int, light: tuple[float, ...]) -> Mix:
        checks = rng.integers(1, 11, (days, 4))
        return mix_of(np.array([sum(rng.multinomial(1, light) * n for n in today) for today in checks]))

    alike = (0.25, 0.35, 0.25, 0.15)
    found = [drift(period(7, alike), period(28, alike)).drifting for _ in range(weeks)]
    assert sum(map(bool, found)) <= 0.05 * weeks
    dark = [drift(period(28, (0.7, 0.1, 0.1, 0.1)), period(112, alike)).drifting for _ in range(weeks)]
    assert sum(map(bool, dark)) >= 0.9 * weeks


def mix_of(light: np.ndarray) -> Mix:
    n = light.sum(axis=1, keepdims=True)
    signals = {s.column: np.pad(n, ((0, 0), (0, len(s.names) - 1))) for s in SIGNALS}
    return Mix(np.pad(n, ((0, 0), (0, 6))), signals | {"light": light})


def test_one_day_before_does_not_tell_how_much_days_differ():
    now, before = mix(EVEN, (400, 100, 200, 0), days=1), mix(EVEN, (100, 100, 500, 0), days=1)
    assert drift(now, before).shifts and not drift(now, before).drifting
