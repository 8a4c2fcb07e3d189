"""Scores and calibration of predicted probabilities against labels."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

from vibecheck.analytics.calibration_fit import calibration_error
from vibecheck.emotions import NAMES
from vibecheck.evaluation.report import Scores

# Candidate shares of uniformly random labels.
NOISES = np.linspace(0, 0.5, 51)
# The highest temperature.
MOST = 4.0


def prior_weights(truth: np.ndarray, prior: Sequence[float] | np.ndarray) -> np.ndarray:
    """Weights (N) under which the labels (N) have the class distribution `prior`."""
    own = np.bincount(truth, minlength=len(NAMES)) / len(truth)
    wanted = np.asarray(prior) / np.sum(prior)
    return (wanted / np.maximum(own, 1e-12))[truth]


def scores(probabilities: np.ndarray, truth: np.ndarray) -> Scores:
    """The scores of N x 7 probabilities against N indices of moods; N is at least 1."""
    answer = probabilities.argmax(axis=1)
    right = answer == truth
    confusion = np.zeros((len(NAMES), len(NAMES)), int)
    np.add.at(confusion, (truth, answer), 1)
    n, recognised = confusion.sum(axis=1), confusion.diagonal()
    return Scores(
        n=len(truth),
        right=int(right.sum()),
        accuracy=float(right.mean()),
        balanced_accuracy=float((recognised[n > 0] / n[n > 0]).mean()),
        ece=min(1.0, calibration_error(probabilities, truth)),
        bias=float(probabilities.max(axis=1).mean() - right.mean()),
        per_class={name: (int(k), int(of)) for name, k, of in zip(NAMES, recognised, n, strict=True)},
        confusion=tuple(tuple(map(int, row)) for row in confusion),
    )


def nll_with_noise(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Negative log-likelihood (nats, M x N) of N labels by the log-probabilities of M models (M x N x 7).

    A share of the labels, at most half, is modelled as uniform noise: the share under which the best model
    has the highest likelihood. It is one share for all models, since noise is a property of the labels: what
    contradicts one model may be what another has learned.
    """
    said = np.maximum(np.exp(answers[:, np.arange(len(truth)), truth]), 1e-12)

    def loss(noise: float) -> np.ndarray:
        return -np.log((1 - noise) * said + noise / answers.shape[2])

    return loss(min(NOISES, key=lambda noise: loss(noise).mean(axis=1).min()))


def temperature(answers: np.ndarray, truth: np.ndarray, prior_labels: float, least: float) -> float:
    """The temperature for logits (N x 7) that maximises the likelihood of the labels (N; Guo et al. 2017).

    Between `least` and 4, regularised towards 1 with the weight of `prior_labels` labels.
    """

    def loss(log_t: float) -> float:
        said = log_softmax(answers / np.exp(log_t), axis=1)
        return float(-said[np.arange(len(truth)), truth].sum()) + prior_labels * log_t**2

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(least), np.log(MOST)), method="bounded").x))


def bias_corrected(
    answers: np.ndarray, truth: np.ndarray, prior: np.ndarray, strength: float, prior_labels: float
) -> tuple[float, np.ndarray]:
    """The temperature for logits (N x 7) and the bias (7) to add afterwards, by the likelihood of the labels.

    A correction for the class `prior` with `strength` follows, so the likelihood is that of the corrected
    answers, on labels weighted to the class distribution for which they are corrected. The bias is
    regularised towards 0 with the weight of `prior_labels` labels (bias-corrected temperature scaling:
    Alexandari et al. 2020, arXiv:1901.06852).
    """
    shift, weights = strength * np.log(prior), prior_weights(truth, prior ** (1 - strength))

    def loss(found: np.ndarray) -> float:
        log_t, added = found[0], found[1:]
        said = log_softmax(answers / np.exp(log_t) + added - shift, axis=1)[np.arange(len(truth)), truth]
        return float(-(weights * said).sum()) + prior_labels * (added**2).sum()

    bounds = [(-np.log(MOST), np.log(MOST)), *[(None, None)] * answers.shape[1]]
    found = minimize(loss, np.zeros(1 + answers.shape[1]), bounds=bounds).x
    return float(np.exp(found[0])), found[1:]
