"""Calibration that is learned from audits: what is planted is found, and noise is not taken for something."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibecheck.analytics.calibration_fit import Audited, calibration_error, fit, learn
from vibecheck.vision.temperature_scaling import LARGEST_BIAS, NO_BIAS, SHIPPED, TemperatureScaling, softmax


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, N x 7, and moods that are drawn from them."""
    rng = np.random.default_rng(seed)
    right = rng.dirichlet(np.full(7, 0.5), n)
    right = (right + 1e-3) / (1 + 7e-3)
    return right, (right.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


def miscalibrated(
    n: int, temperature: float, seed: int, bias: tuple[float, ...] = NO_BIAS
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that this temperature and bias would put right, and the moods."""
    right, truth = drawn(n, seed)
    return TemperatureScaling(temperature, bias).undo(right), truth


def audits(probabilities: np.ndarray, truth: np.ndarray, a_day: float = 20.0, visitors=None) -> Audited:
    n = len(truth)
    return Audited(probabilities, truth, np.arange(n) / a_day, visitors or range(n))


@settings(max_examples=20, deadline=None)
@given(temperature=st.floats(0.6, 2.0), seed=st.integers(0, 1000))  # above, the prior takes off a tenth
def test_a_planted_temperature_is_recovered(temperature, seed):
    said, truth = miscalibrated(2000, temperature, seed)
    found = fit(said, truth, np.ones(2000), with_bias=False)
    assert found.bias == NO_BIAS
    assert found.temperature == pytest.approx(temperature, rel=0.15)


def test_a_planted_bias_is_recovered():
    planted = (0.8, -0.5, -0.4, 0.6, -0.6, 0.3, -0.2)
    said, truth = miscalibrated(4000, 1.8, 1, planted)
    found = fit(said, truth, np.ones(4000), with_bias=True)
    assert found.temperature == pytest.approx(1.8, rel=0.1)
    assert found.bias == pytest.approx(planted, abs=0.2)


def test_calibrated_answers_are_left_unchanged():
    said, truth = drawn(4000, 2)
    found = fit(said, truth, np.ones(4000), with_bias=True)
    assert found.temperature == pytest.approx(1, abs=0.06)
    assert found.bias == pytest.approx(NO_BIAS, abs=0.15)


def test_few_audits_change_the_shipped_temperature_little():
    said, truth = miscalibrated(1000, 2.5, 3)
    found = [fit(said[:n], truth[:n], np.ones(n), with_bias=False).temperature for n in (0, 3, 1000)]
    assert found[0] == 1 and found[0] < found[1] < found[2]


def test_random_labels_flatten_the_answers_but_never_reverse_their_order():
    rng = np.random.default_rng(4)
    said = softmax(6 * rng.normal(size=(500, 7)))
    found = fit(said, rng.integers(0, 7, 500), np.ones(500), with_bias=False)
    assert found.temperature == pytest.approx(10)
    assert (found.apply(said).argmax(axis=1) == said.argmax(axis=1)).all()


def test_two_hundred_audits_correct_overconfidence():
    said, truth = miscalibrated(3000, 2.5, 5)
    learned = learn(audits(said[:200], truth[:200]), today=10.0)
    assert calibration_error(said[200:], truth[200:]) > 0.2
    assert calibration_error(learned.scaling.apply(said[200:]), truth[200:]) < 0.06
    assert learned.n == 200 and learned.later == 190
    assert learned.loss_after < learned.loss_before - 0.1
    assert learned.error_after < learned.error_before - 0.1


def test_with_fewer_than_fifty_audits_nothing_is_learned():
    said, truth = miscalibrated(50, 4.0, 6)
    assert learn(audits(said[:49], truth[:49]), today=10.0) is None
    assert learn(audits(said, truth), today=10.0) is not None


def test_class_bias_is_learned_only_from_200_audits_on():
    planted = (1.0, -0.8, -0.6, 1.0, -1.0, 0.6, -0.2)
    said, truth = miscalibrated(200, 1.5, 7, planted)
    early = learn(audits(said[:190], truth[:190]), today=10.0)
    assert early.scaling.bias == NO_BIAS
    assert learn(audits(said, truth), today=10.0).scaling.bias != NO_BIAS


@pytest.mark.parametrize("deployments", [20, pytest.param(60, marks=pytest.mark.slow)])
def test_repeated_looks_fit_noise_in_at_most_5_percent_of_deployments(deployments):
    taken = 0
    for seed in range(deployments):
        said, truth = drawn(200, 100 + seed)
        taken += any(
            learn(audits(said[:n], truth[:n]), today=n / 20) is not None for n in (50, 100, 150, 200)
        )
    assert taken <= 0.05 * deployments


def test_calibration_in_use_stays_while_it_fits():
    said, truth = miscalibrated(400, 2.5, 8)
    assert learn(audits(said, truth), 20.0, in_use=TemperatureScaling(2.5), since=0.0) is None


def test_calibration_is_judged_only_by_audits_since_it_came_into_use():
    said, truth = miscalibrated(400, 2.5, 9)
    wrong = TemperatureScaling(1.2)
    assert learn(audits(said, truth), 20.0, in_use=wrong, since=19.9) is None
    assert learn(audits(said, truth), 20.0, in_use=wrong, since=10.0).scaling.temperature > 2


def test_shipped_calibration_returns_once_it_fits_again():
    """First people pull faces; then their expressions are natural."""
    posed, posed_truth = miscalibrated(300, 3.0, 10)
    learned = learn(audits(posed, posed_truth, a_day=100), today=3.0)
    natural, natural_truth = drawn(100, 11)
    both = audits(np.vstack([posed, natural]), np.r_[posed_truth, natural_truth], a_day=100)
    assert learn(both, 4.0, in_use=learned.scaling, since=3.0).scaling == SHIPPED


def test_newer_audits_have_more_weight():
    old, old_truth = miscalibrated(200, 3.0, 12)
    new, new_truth = drawn(200, 13)
    days = np.r_[np.arange(200) / 100, 84 + np.arange(200) / 100]
    together = Audited(np.vstack([old, new]), np.r_[old_truth, new_truth], days, range(400))
    alike = Audited(together.probabilities, together.truth, np.arange(400) / 100, range(400))
    in_use = TemperatureScaling(5.0)
    late, even = (learn(each, 86.0, in_use, since=-1.0) for each in (together, alike))
    assert late.scaling.temperature < even.scaling.temperature


def test_no_visitor_has_more_than_a_thirtieth_of_the_weight():
    visitors = [*range(40), *["keen"] * 60]
    weights = audits(*drawn(100, 14), visitors=visitors).weights()
    assert weights[:40] == pytest.approx(1) and weights[40:].sum() == pytest.approx(100 / 30)
    assert audits(*drawn(100, 14), visitors=["alone"] * 100).weights() == pytest.approx(1)


def test_one_lying_visitor_does_not_flatten_everybodys_confidence():
    said, truth = drawn(240, 15)
    visitors: list = list(range(240))
    for place in range(0, 240, 2):  # every second audit is theirs
        truth[place], visitors[place] = said[place].argmin(), "liar"
    learned = learn(audits(said, truth, visitors=visitors), 12.0)
    believed = learn(audits(said, truth), 12.0)
    assert believed.scaling.temperature > 2.5
    assert learned is None or learned.scaling.temperature < 1.6


@pytest.mark.filterwarnings("error")
def test_audits_that_all_name_one_mood_change_the_calibration_within_bounds():
    said, _ = drawn(2000, 16)
    found = fit(said, np.full(2000, 3), np.ones(2000), with_bias=True)
    assert found.bias[3] == LARGEST_BIAS and min(found.bias) > -LARGEST_BIAS


@pytest.mark.filterwarnings("error")
def test_audits_dated_in_the_future_have_no_more_weight_than_new_ones():
    said, truth = miscalibrated(300, 2.5, 17)
    plain = audits(said, truth)
    ahead = Audited(said, truth, plain.day + np.r_[np.zeros(299), 40_000.0], plain.visitors)
    learned, expected = (learn(each, today=15.0).scaling for each in (ahead, plain))
    assert learned.temperature == pytest.approx(expected.temperature, rel=0.01)
