"""How good probabilities are, against what people said."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, recall_score

from vibecheck.analytics.calibration import calibration_error
from vibecheck.emotions import NAMES


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
    """How unlikely each of N labels is (nats), by the logarithms of N x 7 probabilities.

    Some share of the labels is taken to be any mood, by chance: the share, half at most, under which all of
    them are most likely.
    """
    said = np.exp(answers[np.arange(len(truth)), truth])

    def loss(noise: float) -> np.ndarray:
        return -np.log((1 - noise) * said + noise / answers.shape[1])

    best = minimize_scalar(lambda noise: loss(noise).mean(), bounds=(0.0, 0.5), method="bounded")
    return loss(best.x)
