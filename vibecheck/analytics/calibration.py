"""Calibration: whether confidence equals accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vibecheck.analytics.shares import Share, over_visitors
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


def calibration(bins: Sequence[Bin]) -> Calibration:
    """The error and the diagram of one model, or of all; the same answers give the same interval.

    Each visitor has one vote. The interval is that of a bootstrap of as many cases as there are visitors.
    Answers in a bin have nearly the same confidence, so the numbers of right and wrong answers per bin are
    resampled.
    """
    if not bins:
        return Calibration(0, None, None, None, None, ())
    weight, right, confidence = np.array([(each.weight, each.right, each.confidence) for each in bins]).T
    total = weight.sum()
    mean = confidence / weight
    error = float(np.abs(right - confidence).sum() / total)
    shares = np.maximum(np.concatenate([right, weight - right]), 0)
    visitors = max(1, round(total))
    draws = np.random.default_rng(0).multinomial(visitors, shares / shares.sum(), size=DRAWS)
    hits, misses = draws[:, : len(bins)], draws[:, len(bins) :]
    errors = np.abs(hits * (1 - mean) - misses * mean).sum(axis=1) / visitors
    low, high = np.quantile(errors, [0.025, 0.975])
    return Calibration(
        n=sum(each.tally.n for each in bins),
        error=error,
        low=min(float(low), error),  # a bootstrap sample errs a little more than the sample
        high=max(float(high), error),
        bias=float((confidence - right).sum() / total),
        steps=tuple(
            ReliabilityBin(each.number, float(level), over_visitors(each.tally))
            for each, level in zip(bins, mean, strict=True)
        ),
    )
