"""Scores and calibration of predicted probabilities against labels."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, recall_score

from vibecheck.analytics.calibration_error import calibration_error
from vibecheck.emotions import NAMES

# Candidate shares of uniformly random labels.
NOISES = np.linspace(0, 0.5, 51)
# The highest temperature.
MOST = 4.0


def prior_weights(truth: np.ndarray, prior: Sequence[float] | np.ndarray) -> np.ndarray:
    """Weights (N) under which the labels (N) have the class distribution `prior`."""
    own = np.bincount(truth, minlength=len(NAMES)) / len(truth)
    wanted = np.asarray(prior) / np.sum(prior)
    return (wanted / np.maximum(own, 1e-12))[truth]


def report(probabilities: np.ndarray, truth: np.ndarray) -> dict:
    """`n, accuracy, balanced_accuracy, macro_f1, per_class, ece, confusion` of N x 7 probabilities.

    `per_class` gives recall and number by mood; rows of `confusion` are the truth, columns the answer,
    both in the order of EMOTIONS.
    """
    answer = probabilities.argmax(axis=1)
    labels = list(range(len(NAMES)))
    recalls = recall_score(truth, answer, labels=labels, average=None, zero_division=0)
    counts = np.bincount(truth, minlength=len(NAMES))
    return {
        "n": len(truth),
        "accuracy": float((answer == truth).mean()),
        "balanced_accuracy": float(balanced_accuracy_score(truth, answer)),
        "macro_f1": float(f1_score(truth, answer, labels=labels, average="macro", zero_division=0)),
        "per_class": {
            name: {"recall": float(recall), "n": int(n)}
            for name, recall, n in zip(NAMES, recalls, counts, strict=True)
        },
        "ece": calibration_error(probabilities, truth),
        "confusion": confusion_matrix(truth, answer, labels=labels).tolist(),
    }


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


def temperature(
    answers: np.ndarray,
    truth: np.ndarray,
    held_back: float = 0.0,
    least: float = 0.25,
    prior: np.ndarray | None = None,
    strength: float = 0.0,
) -> float:
    """The temperature for logits (N x 7) that maximises the likelihood of the labels (N; Guo et al. 2017).

    Between `least` and 4, regularised towards 1 with the weight of `held_back` labels. Where a correction
    for the class `prior` with `strength` follows, the likelihood is that of the corrected answers, on labels
    weighted to the class distribution for which they are corrected.
    """
    nll = _corrected_nll(truth, prior, strength)

    def loss(log_t: float) -> float:
        return nll(answers / np.exp(log_t)) + held_back * log_t**2

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(least), np.log(MOST)), method="bounded").x))


def bias_corrected(
    answers: np.ndarray, truth: np.ndarray, prior: np.ndarray, strength: float, held_back: float
) -> tuple[float, np.ndarray]:
    """The temperature for logits (N x 7) and the bias (7) to add afterwards; arguments as in `temperature`.

    The bias is regularised towards 0 with the weight of `held_back` labels (bias-corrected temperature
    scaling: Alexandari et al. 2020, arXiv:1901.06852).
    """
    nll = _corrected_nll(truth, prior, strength)

    def loss(found: np.ndarray) -> float:
        log_t, added = found[0], found[1:]
        return nll(answers / np.exp(log_t) + added) + held_back * (added**2).sum()

    bounds = [(-np.log(MOST), np.log(MOST)), *[(None, None)] * answers.shape[1]]
    found = minimize(loss, np.zeros(1 + answers.shape[1]), bounds=bounds).x
    return float(np.exp(found[0])), found[1:]


def _corrected_nll(
    truth: np.ndarray, prior: np.ndarray | None, strength: float
) -> Callable[[np.ndarray], float]:
    """The mean NLL (nats) of the labels by logits that are corrected for a prior: see `temperature`."""
    shift, weights = 0.0, np.ones(len(truth))
    if prior is not None:
        shift, weights = strength * np.log(prior), prior_weights(truth, prior ** (1 - strength))

    def loss(logits: np.ndarray) -> float:
        said = log_softmax(logits - shift, axis=1)
        return float(-(weights * said[np.arange(len(truth)), truth]).sum())

    return loss
