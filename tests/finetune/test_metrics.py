import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.metrics import bias_corrected, nll_with_noise, prior_weights, scores, temperature
from vibecheck.emotions import NAMES


def confident(answer: int, confidence: float) -> np.ndarray:
    shares = np.full(7, (1 - confidence) / 6)
    shares[answer] = confidence
    return shares


@given(st.lists(st.integers(0, 6), min_size=30, max_size=200).filter(lambda t: len(set(t)) == 7))
def test_prior_weights_give_the_truth_the_requested_class_mix(truth):
    truth, prior = np.array(truth), np.array([0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1])
    weights = prior_weights(truth, prior)
    mix = np.bincount(truth, weights, minlength=7) / weights.sum()
    assert mix == pytest.approx(prior)


def test_scores_match_values_computed_by_hand():
    truth = np.array([0, 0, 0, 3, 3, 6])
    answers = [0, 0, 3, 3, 3, 0]
    result = scores(np.array([confident(answer, 0.8) for answer in answers]), truth)
    assert (result.n, result.accuracy) == (6, pytest.approx(4 / 6))
    assert result.balanced_accuracy == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert result.per_class["angry"] == (2, 3) and result.per_class["sad"] == (0, 0)
    confusion = np.array(result.confusion)
    assert confusion.shape == (7, 7) and confusion.sum() == 6
    assert confusion[NAMES.index("angry"), NAMES.index("happy")] == 1
    assert result.ece == pytest.approx(abs(4 / 6 - 0.8))


def answers_that_are_honest(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The logarithms of N x 7 probabilities, and labels that are drawn from these."""
    shares = rng.dirichlet(np.full(7, 0.3), count)
    truth = (shares.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return np.log(np.maximum(shares, 1e-12)), np.minimum(truth, 6)


def test_correct_labels_are_not_taken_for_label_noise():
    answers, truth = answers_that_are_honest(np.random.default_rng(0), 4000)
    assert nll_with_noise(answers[np.newaxis], truth).mean() == pytest.approx(
        -answers[np.arange(4000), truth].mean(), rel=0.02
    )


@pytest.mark.parametrize("wrong", [0.0, 0.2, 0.4])
def test_calibrated_model_beats_a_vague_one_even_with_wrong_labels(wrong):
    rng = np.random.default_rng(1)
    answers, truth = answers_that_are_honest(rng, 4000)
    labels = np.where(rng.random(4000) < wrong, rng.integers(0, 7, 4000), truth)
    vague = answers / 3 - np.logaddexp.reduce(answers / 3, axis=1, keepdims=True)
    assert (
        nll_with_noise(answers[np.newaxis], labels).mean() < nll_with_noise(vague[np.newaxis], labels).mean()
    )


def test_improbable_label_gives_a_finite_loss():
    answers = np.log(np.array([[1.0, *[1e-300] * 6]] * 10))
    assert np.isfinite(nll_with_noise(answers[np.newaxis], np.array([0] * 5 + [1] * 5))).all()


def test_label_noise_is_estimated_from_all_models_together():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 7, 400)
    sure = np.log(np.where(np.eye(7)[truth], 0.94, 0.01))
    always_wrong = np.log(np.where(np.eye(7)[(truth + 1) % 7], 0.94, 0.01))
    both = nll_with_noise(np.stack([always_wrong, sure]), truth)
    assert both[1] == pytest.approx(-np.log(0.94)) and both[0] == pytest.approx(-np.log(0.01))
    assert nll_with_noise(always_wrong[np.newaxis], truth).mean() < both[0].mean()


def test_temperature_calibrates_confidence_and_few_labels_hardly_change_it():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 7, 2000)
    said = np.where(rng.random(2000) < 0.6, truth, rng.integers(0, 7, 2000))
    answers = np.log(np.full((2000, 7), 0.01 / 6))
    answers[np.arange(2000), said] = np.log(0.99)  # far too sure
    found = temperature(answers, truth, 20, 0.25)
    assert found > 2
    assert 1 < temperature(answers[:10], truth[:10], 20, 0.25) < found
    assert temperature(answers[said == truth], truth[said == truth], 0, 0.25) < 1


def logits_of_a_mix() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Honest logits (N x 7), the truth that they are of, and the mix of moods it was drawn from."""
    random = np.random.default_rng(0)
    prior = np.array([0.05, 0.05, 0.1, 0.3, 0.3, 0.1, 0.1])
    truth = random.choice(7, 40_000, p=prior)
    honest = np.log(prior) + 2 * np.eye(7)[truth] + random.normal(0, 2**0.5, (len(truth), 7))
    return honest, truth, prior


def test_class_bias_is_found_and_few_labels_hardly_change_it():
    honest, truth, prior = logits_of_a_mix()
    tilt = np.array([0.5, -0.5, 0.0, 0.3, -0.3, 0.0, 0.0])
    for strength in (0.0, 0.8):
        divisor, added = bias_corrected(1.7 * (honest + tilt), truth, prior, strength, prior_labels=10)
        assert divisor == pytest.approx(1.7, rel=0.05)
        assert added == pytest.approx(-tilt, abs=0.07)
    some = slice(0, 100)
    _, added = bias_corrected(1.7 * (honest + tilt)[some], truth[some], prior, 0.0, prior_labels=1000)
    assert np.abs(added).max() < 0.05
