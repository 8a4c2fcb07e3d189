import numpy as np
import pytest

from tests.analytics.tallies import confidence_bin
from vibecheck.analytics import words
from vibecheck.analytics.calibration import calibration
from vibecheck.analytics.calibration_fit import calibration_error
from vibecheck.emotions import NAMES
from vibecheck.records.stats.results import Bin, VisitorTally


def confident(answer: int, confidence: float) -> np.ndarray:
    shares = np.full(len(NAMES), (1 - confidence) / 6)
    shares[answer] = confidence
    return shares


def test_calibration_error_matches_a_value_computed_by_hand():
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


def test_calibration_error_accepts_weights():
    shares = np.array([confident(0, 0.9), confident(0, 0.9)])
    truth = np.array([0, 1])
    assert calibration_error(shares, truth, np.array([9.0, 1.0])) == pytest.approx(0, abs=1e-9)


def counted(shares: np.ndarray, truth: np.ndarray) -> list[Bin]:
    """The same cases, counted as the database counts them."""
    top, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    numbers = np.minimum((top * 15).astype(int), 14)
    return [
        confidence_bin(
            int(i), int((numbers == i).sum()), int(right[numbers == i].sum()), top[numbers == i].sum()
        )
        for i in np.unique(numbers)
    ]


def test_calibration_error_of_binned_answers_equals_that_of_the_answers():
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.full(7, 0.4), size=500)
    truth = rng.integers(0, 7, 500)
    found = calibration(counted(shares, truth))
    assert found.error == pytest.approx(calibration_error(shares, truth), abs=0.01)
    right = shares.argmax(axis=1) == truth
    assert found.bias == pytest.approx(shares.max(axis=1).mean() - right.mean())
    assert sum(step.accuracy.n for step in found.steps) == found.n == 500


@pytest.mark.parametrize("n", [30, 300])
@pytest.mark.parametrize("gap", [0.0, 0.15])
def test_interval_covers_the_true_error(n: int, gap: float):
    """Also that of calibrated confidence, whose gaps in a sample are never 0."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(100):
        top = rng.uniform(0.4, 1.0, n)
        truth = np.where(rng.random(n) < top - gap, 0, 1)
        found.append(calibration(counted(np.array([confident(0, each) for each in top]), truth)))
    assert sum(each.low <= gap <= each.high for each in found) >= 90
    assert np.mean([each.error for each in found]) == pytest.approx(gap, abs=0.08 if n == 30 else 0.025)


def test_few_answers_do_not_prove_a_calibration_error():
    said = words.on_calibration(
        calibration([confidence_bin(10, 20, 13, 14.4), confidence_bin(13, 20, 19, 18.4)])
    )
    assert said.figure == "No error proved" and said.interval.startswith("0–")
    assert said.detail == "The differences are within noise"


def test_right_answers_alone_neither_prove_that_confidence_is_too_low_nor_that_it_is_not_too_high():
    """At a calibrated confidence of 95%, 40 answers are all right in 13% of samples."""
    found = calibration([confidence_bin(14, 40, 40, 38.0)])
    assert found.low == 0 and found.high > 0.05


def test_calibration_without_answers_has_no_error():
    found = calibration([])
    assert (found.n, found.error, found.bias, found.steps) == (0, None, None, ())


def test_one_answer_and_all_wrong_answers_have_a_calibration_error():
    assert calibration([confidence_bin(13, 1, 1, 0.9)]).low == 0, "one answer proves nothing"
    wrong = calibration([confidence_bin(13, 40, 0, 36.0)])
    assert wrong.error == pytest.approx(0.9, abs=0.02) and wrong.low > 0.8 and wrong.high <= 1


def test_visitor_with_many_answers_has_one_vote():
    """Nine visitors are right at 90%; the tenth is wrong a hundred times, at 50%."""
    keen = Bin(7, VisitorTally(100, 0, 1, 0.0, 0.0), 1.0, 0.0, 0.5)
    found = calibration([keen, confidence_bin(13, 9, 9, 8.1)])
    assert found.bias == pytest.approx((0.5 - 0.9) / 10) and found.n == 109
