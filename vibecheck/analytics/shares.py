"""Shares with confidence intervals, and tests of their differences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from vibecheck.records.stats.results import VisitorTally

# 97.5% quantile of the normal distribution.
Z = 1.959963984540054

# Level of significance.
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Share:
    """`k` of `n` cases, with a 95% interval. If `n` is 0, `value` is None and the interval 0 to 1.

    Of the answers of several `visitors`, `value` is the mean of their shares, in which each has one vote. The
    interval is that of `effective` independent cases.
    """

    k: int
    n: int
    value: float | None
    low: float
    high: float
    effective: float = 0.0
    visitors: int | None = None

    def named(self, value: str, low: str = "low", high: str = "high") -> dict[str, float | None]:
        """The value and its interval under these names; all None without cases."""
        return {value: self.value, low: self.low if self.n else None, high: self.high if self.n else None}


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
    """`k` of `n` independent cases, with its Wilson interval. Raises ValueError unless 0 <= k <= n."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a share")
    if n == 0:
        return Share(0, 0, None, 0.0, 1.0)
    low, high = wilson(k / n, n, Z)
    return Share(k, n, k / n, low, high, n)


def over_visitors(tally: VisitorTally) -> Share:
    """The mean of the visitors' shares, with an interval that allows for answers of one visitor being alike.

    The variance of the mean is estimated over visitors, not answers. The interval is Wilson's, of the number
    of independent answers with this variance, and Student's t (Korn & Graubard 1998, Dean & Pagano
    2015). With a single visitor there is no variance between visitors: the interval is that of the answers.
    """
    n, visitors = tally.n, tally.visitors
    if visitors < 2:
        return replace(share(tally.correct, n), visitors=visitors)
    value = min(1.0, max(0.0, tally.shares / visitors))
    variance = (tally.squares - visitors * value**2) / (visitors - 1) / visitors
    # If all agree, each visitor is one case: their answers show no variance from which to estimate more.
    effective = float(visitors)
    if variance > 0 and 0 < value < 1:
        effective = min(float(n), value * (1 - value) / variance)
    low, high = wilson(value, effective, float(stdtrit(visitors - 1, 0.975)))
    return Share(tally.correct, n, value, low, high, effective, visitors)


def wilson(value: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's interval (1927) of a share of `n` cases; `z` is the quantile."""
    # SciPy's binomtest also computes a p-value and takes a hundred times as long.
    weight = z * z / n
    middle, half = value + weight / 2, z * math.sqrt(value * (1 - value) / n + weight / (4 * n))
    low, high = (middle - half) / (1 + weight), (middle + half) / (1 + weight)
    return max(0.0, min(low, value)), min(1.0, max(high, value))


def change(before: Share, after: Share) -> Difference | None:
    """The difference of two shares; None where one of them has no cases."""
    if before.value is None or after.value is None:
        return None
    return Difference(after.value - before.value, p_value(before, after))


def p_value(one: Share, other: Share) -> float:
    """The p-value of Fisher's exact test of two shares, two-sided, with their effective numbers of cases."""
    cases = [max(1, round(each.effective)) for each in (one, other)]
    right = [round((each.value or 0.0) * n) for each, n in zip((one, other), cases, strict=True)]
    return fisher(right[0], cases[0], right[1], cases[1])


def fisher(k1: int, n1: int, k2: int, n2: int, alternative: str = "two-sided") -> float:
    """The p-value of Fisher's exact test; "less": against the first share being smaller."""
    from scipy.stats import fisher_exact  # takes half a second, and most processes test nothing

    return float(fisher_exact([[k1, n1 - k1], [k2, n2 - k2]], alternative).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for multiple testing (Holm 1979), in the order given."""
    order = np.argsort(p_values)
    scaled = np.sort(p_values) * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected.tolist()
