"""Expected calibration error: how far confidence is from accuracy."""

import numpy as np

from vibecheck.records.stats.bins import CONFIDENCE_BINS


def calibration_error(
    probabilities: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Expected calibration error of the top label, 0 to 1, in 15 equal bins (Guo et al. 2017).

    `probabilities` is N x 7, `truth` N indices; `weights`, N, count a case for more or less than one.
    """
    weights = np.ones(len(truth)) if weights is None else weights
    confidence = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == truth) - confidence
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    return float(np.abs(np.bincount(bins, weights * gap)).sum() / weights.sum())
