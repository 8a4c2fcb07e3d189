"""Shares with confidence intervals, and tests of their differences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import fisher_exact

# 97.5% quantile of the normal distribution.
Z = 1.959963984540054

# Level of significance.
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Share:
    """`k` of `n` with its 95% interval (Wilson 1927). If `n` is 0, `value` is None, the interval 0 to 1."""

    k: int
    n: int
    value: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two shares: `points` is 0.01 for one percentage point."""

    points: float
    p_value: float

    @property
    def significant(self) -> bool:
        """Whether it is significant at the 5% level."""
        return self.p_value < ALPHA


def share(k: int, n: int) -> Share:
    """`k` of `n` with its interval. Raises ValueError unless 0 <= k <= n."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no share")
    if n == 0:
        return Share(0, 0, None, 0.0, 1.0)
    # Not by SciPy's binomtest, which also computes a p-value and takes a hundred times as long.
    value, weight = k / n, Z * Z / n
    middle, half = value + weight / 2, Z * math.sqrt(value * (1 - value) / n + weight / (4 * n))
    low, high = (middle - half) / (1 + weight), (middle + half) / (1 + weight)
    return Share(k, n, value, max(0.0, min(low, value)), min(1.0, max(high, value)))


def change(before: Share, after: Share) -> Difference | None:
    """The difference of two shares by Fisher's exact test, two-sided; None where one is of nothing."""
    if before.value is None or after.value is None:
        return None
    return Difference(after.value - before.value, fisher(before.k, before.n, after.k, after.n))


def fisher(k1: int, n1: int, k2: int, n2: int) -> float:
    """The p-value of Fisher's exact test, two-sided."""
    return float(fisher_exact([[k1, n1 - k1], [k2, n2 - k2]]).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for multiple testing (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, worst = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = worst
    return corrected
