"""How good probabilities are, against what people said."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, recall_score

from vibecheck.analytics.calibration import calibration_error
from vibecheck.emotions import NAMES

# Shares of the labels that may say nothing.
NOISES = np.linspace(0, 0.5, 51)
# Logits are divided by this at most.
MOST = 4.0


def prior_weights(truth: np.ndarray, prior: Sequence[float] | np.ndarray) -> np.ndarray:
    """What each case counts for, so that the truth has the class mix `prior` instead of its own."""
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


def unlikely(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How unlikely each of N labels is (nats), by the logarithms of probabilities of M models (M x N x 7).

    M x N. Some share of the labels is taken to be any mood, by chance: the share, half at most, under which
    they are most likely by the best of the models. It is one for all, as it is the labels' and not a model's:
    what contradicts one model may be what another has learned.
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
    """By what to divide logits (N x 7), so that the truth (N) is most likely (Guo et al. 2017).

    From `least` to 4. `held_back` is how many labels speak for 1: with fewer it stays near that. Where the
    answers are to be corrected for a `prior` with `strength` afterwards, what counts is how likely they are
    then, of a truth with the mix that they are meant for.
    """
    unlikely_as_seen = _as_seen(truth, prior, strength)

    def loss(log_t: float) -> float:
        return unlikely_as_seen(answers / np.exp(log_t)) + held_back * log_t**2

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(least), np.log(MOST)), method="bounded").x))


def bias_corrected(
    answers: np.ndarray, truth: np.ndarray, prior: np.ndarray, strength: float, held_back: float
) -> tuple[float, np.ndarray]:
    """By what to divide logits (N x 7), and what to add to each class afterwards, as in `temperature`.

    What is added (7) makes good where a mood is said more or less often than it is right; `held_back` is how
    many labels speak for adding nothing (bias-corrected temperature scaling: Alexandari et al. 2020,
    arXiv:1901.06852).
    """
    unlikely_as_seen = _as_seen(truth, prior, strength)

    def loss(found: np.ndarray) -> float:
        log_t, added = found[0], found[1:]
        return unlikely_as_seen(answers / np.exp(log_t) + added) + held_back * (added**2).sum()

    bounds = [(-np.log(MOST), np.log(MOST)), *[(None, None)] * answers.shape[1]]
    found = minimize(loss, np.zeros(1 + answers.shape[1]), bounds=bounds).x
    return float(np.exp(found[0])), found[1:]


def _as_seen(truth: np.ndarray, prior: np.ndarray | None, strength: float) -> Callable[[np.ndarray], float]:
    """How unlikely the truth is (nats) by logits, once these are corrected for a prior: see `temperature`."""
    shift, weights = 0.0, np.ones(len(truth))
    if prior is not None:
        shift, weights = strength * np.log(prior), prior_weights(truth, prior ** (1 - strength))

    def loss(logits: np.ndarray) -> float:
        said = log_softmax(logits - shift, axis=1)
        return float(-(weights * said[np.arange(len(truth)), truth]).sum())

    return loss
