import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vibecheck.vision.temperature_scaling import FLOOR, NO_BIAS, SHIPPED, TemperatureScaling

SCALINGS = st.builds(
    TemperatureScaling,
    st.floats(0.2, 10),
    st.tuples(*[st.floats(-5, 5)] * 7),
)
PROBABILITIES = arrays(float, (3, 7), elements=st.floats(0.01, 1)).map(lambda p: p / p.sum(1, keepdims=True))


@given(SCALINGS, PROBABILITIES)
def test_applied_calibration_can_be_undone(scaling, probabilities):
    calibrated = scaling.apply(probabilities)
    assert calibrated.sum(axis=1) == pytest.approx(1)
    assert scaling.undo(calibrated) == pytest.approx(probabilities, abs=1e-6)


def test_a_temperature_above_one_lowers_confidence_and_keeps_the_order():
    (shares,) = TemperatureScaling(2.0).apply(np.array([[0.64, 0.16, 0.04, 0.04, 0.04, 0.04, 0.04]]))
    assert shares == pytest.approx(np.array([4, 2, 1, 1, 1, 1, 1]) / 11)


def test_a_bias_makes_a_mood_more_probable():
    even = np.full((1, 7), 1 / 7)
    (shares,) = TemperatureScaling(1.0, (np.log(2), 0, 0, 0, 0, 0, 0)).apply(even)
    assert shares == pytest.approx(np.array([2, 1, 1, 1, 1, 1, 1]) / 8)


def test_without_temperature_and_bias_nothing_changes():
    probabilities = np.array([[0.4, 0.3, 0.1, 0.1, 0.05, 0.04, 0.01]])
    assert SHIPPED.apply(probabilities) == pytest.approx(probabilities)


def test_certain_probabilities_stay_a_distribution():
    certain = np.eye(7)[:1]
    shares = TemperatureScaling(2.5).apply(certain)
    assert np.isfinite(shares).all() and shares.sum() == pytest.approx(1)
    undone = TemperatureScaling(2.5).undo(shares)
    assert undone == pytest.approx(certain, abs=7 * FLOOR)
    assert np.isfinite(TemperatureScaling(0.2).undo(certain)).all()


@pytest.mark.parametrize("temperature", [0, -1, 0.1, 11, float("nan"), float("inf")])
def test_invalid_temperature_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature"):
        TemperatureScaling(temperature)


@pytest.mark.parametrize("bias", [(0.0,) * 6, (9.0, *NO_BIAS[1:]), (float("nan"), *NO_BIAS[1:])])
def test_invalid_bias_is_refused(bias):
    with pytest.raises(ValueError, match="bias"):
        TemperatureScaling(1.0, bias)
