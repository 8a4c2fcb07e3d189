import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.metrics import prior_weights, report
from vibecheck.emotions import NAMES


def confident(answer: int, confidence: float) -> np.ndarray:
    shares = np.full(7, (1 - confidence) / 6)
    shares[answer] = confidence
    return shares


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
