import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.metrics import calibration_error, prior_weights, report
from vibecheck.emotions import NAMES


def confident(answer: int, confidence: float) -> np.ndarray:
    shares = np.full(7, (1 - confidence) / 6)
    shares[answer] = confidence
    return shares


def test_calibration_error_by_hand():
    # two bins: 0.9 right half of the time, 0.5 right all of the time
    shares = np.array([confident(0, 0.9)] * 4 + [confident(1, 0.5)] * 4)
    truth = np.array([0, 0, 2, 2, 1, 1, 1, 1])
    assert calibration_error(shares, truth) == pytest.approx(0.5 * 0.4 + 0.5 * 0.5)


def test_answers_drawn_from_the_probabilities_are_calibrated():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(7, 0.5), size=40_000)
    truth = (shares.cumsum(axis=1) > rng.random((40_000, 1))).argmax(axis=1)
    assert calibration_error(shares, truth) < 0.01
    overconfident = shares**3 / (shares**3).sum(axis=1, keepdims=True)
    assert calibration_error(overconfident, truth) > 0.1


def test_a_case_may_count_for_more_than_one():
    shares = np.array([confident(0, 0.9), confident(0, 0.9)])
    truth = np.array([0, 1])
    assert calibration_error(shares, truth, np.array([9.0, 1.0])) == pytest.approx(0, abs=1e-9)


@given(st.lists(st.integers(0, 6), min_size=30, max_size=200).filter(lambda t: len(set(t)) == 7))
def test_weights_give_the_truth_another_mix(truth):
    truth, prior = np.array(truth), np.array([0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1])
    weights = prior_weights(truth, prior)
    mix = np.bincount(truth, weights, minlength=7) / weights.sum()
    assert mix == pytest.approx(prior)


def test_the_report_by_hand():
    truth = np.array([0, 0, 0, 3, 3, 6])
    answers = [0, 0, 3, 3, 3, 0]
    result = report(np.array([confident(answer, 0.8) for answer in answers]), truth)
    assert (result["n"], result["accuracy"]) == (6, pytest.approx(4 / 6))
    assert result["balanced_accuracy"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert result["per_class"]["angry"] == {"recall": pytest.approx(2 / 3), "n": 3}
    assert result["per_class"]["sad"]["n"] == 0
    confusion = np.array(result["confusion"])
    assert confusion.shape == (7, 7) and confusion.sum() == 6
    assert confusion[NAMES.index("angry"), NAMES.index("happy")] == 1
    assert result["ece"] == pytest.approx(abs(4 / 6 - 0.8))
