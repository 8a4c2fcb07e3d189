"""How good probabilities are, against what people said."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, recall_score

from vibecheck.emotions import NAMES

BINS = 15


def calibration_error(
    probabilities: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Expected calibration error of the top label, 0 to 1, in 15 equal bins (Guo et al. 2017).

    `probabilities` is N x 7, `truth` N indices; `weights`, N, count a case for more or less than one.
    """
    weights = np.ones(len(truth)) if weights is None else weights
    confidence = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == truth) - confidence
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(bins, weights * gap, minlength=BINS)).sum() / weights.sum())


def prior_weights(truth: np.ndarray, prior: Sequence[float]) -> np.ndarray:
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
