"""Calibration: whether confidence equals accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vibecheck.analytics.shares import Share, share
from vibecheck.records.stats.bins import CONFIDENCE_BINS
from vibecheck.records.stats.results import Bin

# Bootstrap samples for the interval of the error.
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of the reliability diagram: the mean confidence in it, and how often it was right."""

    number: int
    confidence: float
    accuracy: Share


@dataclass(frozen=True, slots=True)
class Calibration:
    """Expected calibration error of the top label, 0 to 1, with its 95% bootstrap interval.

    `bias` is mean confidence minus accuracy: above 0 the model is overconfident. All are None
    without answers. `steps` are the bins that hold any.
    """

    n: int
    error: float | None
    low: float | None
    high: float | None
    bias: float | None
    steps: tuple[ReliabilityBin, ...]


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
    return error_of_gaps(np.bincount(bins, weights * gap, minlength=CONFIDENCE_BINS), weights.sum())


def error_of_gaps(gaps: np.ndarray, n: float) -> float:
    """The error from each bin's sum of (right − confidence), over `n` cases."""
    return float(np.abs(gaps).sum() / n)


def calibration(bins: Sequence[Bin], seed: int = 0) -> Calibration:
    """The error and the diagram, from counted answers; the same answers give the same interval.

    The interval is that of a bootstrap. DailyLabels in a bin have nearly the same confidence, so what is
    resampled is the number of right and wrong answers in each bin.
    """
    merged: dict[int, list[Bin]] = {}
    for each in bins:
        merged.setdefault(each.number, []).append(each)
    numbers = sorted(merged)
    n = np.array([sum(b.n for b in merged[i]) for i in numbers], dtype=float)
    correct = np.array([sum(b.correct for b in merged[i]) for i in numbers], dtype=float)
    confidence = np.array([sum(b.confidence_sum for b in merged[i]) for i in numbers], dtype=float)
    total = int(n.sum())
    if not total:
        return Calibration(0, None, None, None, None, ())
    mean = confidence / n
    error = error_of_gaps(correct - confidence, total)
    draws = np.random.default_rng(seed).multinomial(
        total, np.concatenate([correct, n - correct]) / total, size=DRAWS
    )
    right, wrong = draws[:, : len(n)], draws[:, len(n) :]
    errors = np.abs(right * (1 - mean) - wrong * mean).sum(axis=1) / total
    low, high = np.quantile(errors, [0.025, 0.975])
    return Calibration(
        n=total,
        error=error,
        low=min(float(low), error),  # a bootstrap sample errs a little more than the sample
        high=max(float(high), error),
        bias=float((confidence.sum() - correct.sum()) / total),
        steps=tuple(
            ReliabilityBin(number, float(level), share(int(k), int(count)))
            for number, level, k, count in zip(numbers, mean, correct, n, strict=True)
        ),
    )
