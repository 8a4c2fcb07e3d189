"""Which moods are confused with which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vibecheck.analytics.shares import Share, over_visitors
from vibecheck.emotions import NAMES
from vibecheck.records.stats.results import VisitorTally


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Two moods that are confused: their share of all mistakes, in both directions."""

    first: str
    second: str
    of_mistakes: Share


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[label][mood]` and `rows[label][mood]`, 7 x 7 in the order of EMOTIONS, and the confused pairs.

    `counts` are answers; `rows` each cell's share of its row, 0 to 1, in which each visitor has one vote, or
    None in rows without labels. The most confused pair comes first.
    """

    counts: tuple[tuple[int, ...], ...]
    rows: tuple[tuple[float | None, ...], ...]
    pairs: tuple[ConfusedPair, ...]

    @property
    def total(self) -> int:
        """The number of answers."""
        return sum(map(sum, self.counts))


def confusion(
    cells: Mapping[tuple[str, str], tuple[int, float]], confused: Mapping[tuple[str, str], VisitorTally]
) -> Confusion:
    """The matrix and the pairs, from counted answers (see `StatisticsQueries`)."""
    matrix = [[cells.get((label, mood), (0, 0.0)) for mood in NAMES] for label in NAMES]
    pairs = [ConfusedPair(*moods, over_visitors(tally)) for moods, tally in confused.items()]
    pairs.sort(key=lambda pair: (-(pair.of_mistakes.value or 0.0), pair.first, pair.second))
    return Confusion(
        counts=tuple(tuple(n for n, _ in row) for row in matrix),
        rows=tuple(_normalised([weight for _, weight in row]) for row in matrix),
        pairs=tuple(pairs),
    )


def _normalised(weights: Sequence[float]) -> tuple[float | None, ...]:
    total = sum(weights)
    return tuple(weight / total if total else None for weight in weights)
