"""Coverage of the accuracy's 95% interval in simulated weeks with very active and hostile visitors."""

from dataclasses import asdict, dataclass

import numpy as np

from vibecheck.analytics.shares import over_visitors, share
from vibecheck.records.stats.results import VisitorTally
from vibecheck.records.stats.summaries import MOST_A_DAY

TRUTH = 0.7
DAYS = 7
# Visitors differ: the model is right more often with some than with others (beta distribution, ICC 0.1).
ALIKE = 0.1
# Answers of an honest visitor a week, on average, and of a hostile one who does nothing else.
ANSWERS, FLOOD = 1.4, 700


@dataclass(frozen=True)
class Coverage:
    """The share of simulated weeks in which the interval covers the truth, and its mean width in points.

    `naive_coverage` is that of an interval over answers instead of visitors, with no limit per visitor.
    """

    visitors: int
    eager: int
    hostile: float
    coverage: float
    width: float
    naive_coverage: float


def run(weeks: int = 2000, seed: int = 0) -> list[dict]:
    """All scenarios: with and without 20 eager honest visitors, and 1% hostile ones."""
    return [
        asdict(simulate(visitors, eager, hostile, weeks, seed))
        for visitors in (60, 200)
        for eager, hostile in ((0, 0.0), (20, 0.0), (0, 0.01), (20, 0.01))
    ]


def simulate(visitors: int, eager: int, hostile: float, weeks: int, seed: int) -> Coverage:
    """Weeks of `visitors` who answer occasionally, and `eager` ones who answer as often as allowed.

    A share `hostile` of all gives wrong answers all day.
    """
    rng = np.random.default_rng(seed)
    covered, width, before = 0, 0.0, 0
    for _ in range(weeks):
        n = np.concatenate([rng.geometric(1 / ANSWERS, visitors), np.full(eager, MOST_A_DAY * DAYS)])
        n = np.minimum(n, MOST_A_DAY * DAYS)
        right = rng.binomial(n, _accuracies(rng, len(n)))
        lies = rng.random(len(n)) < hostile
        n, right = np.where(lies, MOST_A_DAY * DAYS, n), np.where(lies, 0, right)
        shares = right / n
        tally = VisitorTally(n.sum(), right.sum(), len(n), shares.sum(), (shares**2).sum())
        found = over_visitors(tally)
        covered += found.low <= TRUTH <= found.high
        width += found.high - found.low
        plain = share(int(right.sum()), int(np.where(lies, FLOOD, n).sum()))
        before += plain.low <= TRUTH <= plain.high
    return Coverage(visitors, eager, hostile, covered / weeks, width / weeks * 100, before / weeks)


def _accuracies(rng: np.random.Generator, count: int) -> np.ndarray:
    strength = (1 - ALIKE) / ALIKE
    return rng.beta(TRUTH * strength, (1 - TRUTH) * strength, count)
