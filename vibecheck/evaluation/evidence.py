"""Evidence that a challenger is better than the champion: valid however often one looks.

The data are the pictures on which only one model is right, in the order in which their labels came. If the
challenger wins such a picture with probability p, betting on it multiplies a stake of 1 by 2p for a win and
2(1 - p) for a loss. The stake is spread over p in (½, 1] by a Beta(2, 2) density (a mixture e-process):

    E = B(w + 2, l + 2) · P(Beta(w + 2, l + 2) > ½) / (B(2, 2) · ½) · 2^(w + l)

after w wins and l losses. If the challenger wins at most half, E exceeds 20 at any time with a probability of
at most 1/20 (Ville's inequality; Ramdas et al. 2023, "Game-theoretic statistics and safe anytime-valid
inference", doi:10.1214/23-STS894). So one may look after every label, and stop at the first E ≥ 20.

Pictures of one visitor are alike: a visitor (`unit`) is one bet, on the mean sign of theirs. With one picture
each, this is the formula above. A visitor who returns has their bet revised, which the inequality does not
cover; `benchmarks proof` shows that it costs little.

Labels are deleted after a while. A test of the remaining ones would start again and again, and succeed
eventually. So bets are settled before that, and their value is kept with the metrics of the version.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from scipy.special import betaincc, betaln

# The first challenger is proved at E ≥ 20: a false promotion has a probability of at most 5%. The k-th one
# that is judged against the same champion needs 10·k·(k + 1), so all of them together stay below 10%, the sum
# of the inverses.
FIRST = 20.0
# Bounds of the interval: each is wrong, at any time, with a probability of at most 5%.
BOUND = 20.0
LARGEST = 1e12  # larger values mean no more, and are capped
NODES = 48  # bets of different size

# Gauss-Legendre nodes for bets 2p - 1 in (0, 1), with the weights of the density.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(NODES)
_BETS = (_NODES + 1) / 2
_PRIOR = (1 - _BETS**2) * _WEIGHTS
_PRIOR /= _PRIOR.sum()
_GRID = np.linspace(-1, 1, 2**12 + 1)  # candidates for the bounds of a mean sign


@with_config(ConfigDict(extra="ignore", allow_inf_nan=False))
@dataclass(frozen=True, slots=True)
class Settled:
    """The bets on vibe checks made up to `until`; `logs` are the natural logarithms of their values."""

    until: AwareDatetime
    logs: Annotated[tuple[float, ...], Field(min_length=NODES, max_length=NODES)]

    def plain(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"until": self.until.isoformat()}


_SETTLED = TypeAdapter(Settled)


def settled_name(champion: str, since: datetime | None = None) -> str:
    """The key of a version's metrics that holds the settled bets of its comparison with a champion.

    A guard compares the two again, using only labels given `since` the promotion.
    """
    return f"settled {champion}" + (f" {since.isoformat()}" if since else "")


def settled_of(metrics: Mapping[str, Any], champion: str, since: datetime | None = None) -> Settled | None:
    """The settled bets of a version's comparison with a champion; None if there are none."""
    try:
        return _SETTLED.validate_python(metrics.get(settled_name(champion, since)))
    except ValidationError:
        return None


def threshold(attempt: int) -> float:
    """The evidence that proves the `attempt`-th challenger against one champion; the first is 1."""
    return FIRST / 2 * attempt * (attempt + 1)


def of_counts(won: float, lost: float) -> float:
    """E after so many wins and losses of different visitors."""
    a, b = won + 2, lost + 2
    above = betaincc(a, b, 0.5)
    if above == 0.0:
        return 0.0
    log = betaln(a, b) + np.log(above) - betaln(2, 2) - np.log(0.5) + (won + lost) * np.log(2)
    return float(np.exp(min(log, np.log(LARGEST))))


def highest(signs: Sequence[int], units: Sequence[Hashable], settled: Settled | None = None) -> float:
    """The highest E up to now, since the bets that are settled.

    `signs` are +1 (won) and -1 (lost) in the order of the labels, `units` the visitors they belong to.
    """
    before = _mixed(np.array(settled.logs)) if settled else 1.0
    return min(max(over_time(signs, units, settled), default=before), LARGEST)


def settle(
    signs: Sequence[int], units: Sequence[Hashable], until: datetime, before: Settled | None = None
) -> Settled:
    """Settles bets on vibe checks made up to `until`, and adds them to those settled before."""
    logs = np.log1p(np.outer(_means(signs, units), _BETS)).sum(axis=0)
    return Settled(until, tuple((logs + (before.logs if before else 0.0)).tolist()))


def interval(signs: Sequence[int], units: Sequence[Hashable]) -> tuple[float, float]:
    """A confidence sequence for a visitor's mean sign, from -1 (all lost) to 1 (all won).

    Each bound holds at all times with a probability of 95%.
    """
    means = _means(signs, units)
    return _lower_bound(means), -_lower_bound(-means)


def _means(signs: Sequence[int], units: Sequence[Hashable]) -> np.ndarray:
    """The mean sign of each visitor."""
    theirs: dict[Hashable, list[int]] = {}
    for sign, unit in zip(signs, units, strict=True):
        theirs.setdefault(unit, []).append(sign)
    return np.array([sum(each) / len(each) for each in theirs.values()])


def _lower_bound(means: np.ndarray) -> float:
    """The highest mean sign (to 1/2048) that the evidence excludes; -1 if it excludes none."""
    below = bisect_left(_GRID, True, lo=1, key=lambda mean: _now(means, mean) < BOUND)
    return float(_GRID[below - 1])


def _now(means: np.ndarray, mean: float) -> float:
    """The current E that a visitor's mean sign is above `mean`; `means` has one mean sign per visitor."""
    bets = _BETS / (1 + mean)
    logs = np.log1p(np.outer(bets, means - mean)).sum(axis=1)
    return _mixed(logs)


def _mixed(logs: np.ndarray) -> float:
    """The E of the whole stake, from the logarithm of each bet's value."""
    top = logs.max()
    return float(np.exp(min(top, 700.0)) * (_PRIOR @ np.exp(logs - top)))


def over_time(
    signs: Sequence[int], units: Sequence[Hashable], settled: Settled | None = None
) -> Iterator[float]:
    """E after each label, that a visitor's mean sign is above 0."""
    logs = np.array(settled.logs) if settled else np.zeros(NODES)
    sums: dict[Hashable, tuple[int, int]] = {}
    for sign, unit in zip(signs, units, strict=True):
        total, count = sums.get(unit, (0, 0))
        if count:
            logs -= np.log1p(_BETS * total / count)
        total, count = sums[unit] = total + sign, count + 1
        logs += np.log1p(_BETS * total / count)
        yield _mixed(logs)
