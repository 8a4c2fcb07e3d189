"""Calibration: whether confidence equals accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vibecheck.analytics.shares import Share, over_visitors
from vibecheck.records.stats.results import Bin

# Number of simulated samples, and the candidate errors.
DRAWS = 500
TRIED = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of the reliability diagram: the mean confidence in it, and how often it was right."""

    number: int
    confidence: float
    accuracy: Share


@dataclass(frozen=True, slots=True)
class Calibration:
    """Expected calibration error of the top label, 0 to 1, with its 95% interval.

    The interval begins at 0 where the answers are consistent with calibrated confidence. `bias` is mean
    confidence minus accuracy: above 0 the model is overconfident. All are None without answers. `steps` are
    the bins that hold any.
    """

    n: int
    error: float | None
    low: float | None
    high: float | None
    bias: float | None
    steps: tuple[ReliabilityBin, ...]


def calibration(bins: Sequence[Bin]) -> Calibration:
    """The error and the diagram of one model, or of all; the same answers give the same interval.

    Each visitor has one vote. The gaps in a sample are larger than the true ones: about 15 points for 30
    answers with calibrated confidence. So samples of as many cases as there are visitors are simulated, by
    normal distributions, with smaller and larger gaps than those observed (test inversion). The error is the
    one of which the observed gaps are the median; the interval ends where they would be extreme. Better than
    calibrated counts as calibrated.
    """
    if not bins:
        return Calibration(0, None, None, None, None, ())
    weight, right, confidence = np.array([(each.weight, each.right, each.confidence) for each in bins]).T
    total = weight.sum()
    mean, gaps = confidence / weight, (confidence - right) / total
    observed = float(np.abs(gaps).sum())
    direction = gaps / observed if observed else weight / total
    share = weight / total
    rates = np.clip(mean - TRIED[:, np.newaxis] * direction / share, 0, 1)
    # Rates near 0 or 1, at which all answers are alike, do not make these answers certain.
    variance = np.maximum(rates * (1 - rates), mean * (1 - mean)) * share / max(1, total)
    noise = np.random.default_rng(0).normal(size=(DRAWS, 1, len(bins))) * np.sqrt(variance)
    errors = np.abs(noise + TRIED[:, np.newaxis] * direction).sum(axis=2)
    curves = np.maximum.accumulate(np.quantile(errors, [0.975, 0.5, 0.025], axis=0), axis=1)
    at_least = observed, observed, max(observed, curves[1, 0])
    low, error, high = (float(np.interp(x, y, TRIED)) for x, y in zip(at_least, curves, strict=True))
    return Calibration(
        n=sum(each.tally.n for each in bins),
        error=error,
        low=low,
        high=high,
        bias=float((confidence - right).sum() / total),
        steps=tuple(
            ReliabilityBin(each.number, float(level), over_visitors(each.tally))
            for each, level in zip(bins, mean, strict=True)
        ),
    )
