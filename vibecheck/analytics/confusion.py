"""Which moods are confused with which."""

from collections.abc import Sequence
from dataclasses import dataclass

from vibecheck.analytics.shares import Share, share
from vibecheck.emotions import NAMES
from vibecheck.records.stats.results import Cell


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Two moods that are confused: their share of all mistakes, in both directions."""

    first: str
    second: str
    of_mistakes: Share


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[label][mood]`, 7 x 7 in the order of EMOTIONS, and the pairs, most confused first."""

    counts: tuple[tuple[int, ...], ...]
    pairs: tuple[ConfusedPair, ...]

    @property
    def total(self) -> int:
        """The number of answers."""
        return sum(map(sum, self.counts))

    @property
    def mistakes(self) -> int:
        """The number of answers that say the mood was wrong."""
        return self.total - sum(row[index] for index, row in enumerate(self.counts))

    @property
    def rows(self) -> tuple[tuple[float | None, ...], ...]:
        """Each cell's share of its row, 0 to 1; None in rows without labels."""
        return tuple(
            tuple(cell / total for cell in row) if (total := sum(row)) else (None,) * len(row)
            for row in self.counts
        )


def confusion(cells: Sequence[Cell]) -> Confusion:
    """The matrix and the pairs, from counted answers."""
    found = {(cell.label, cell.mood): cell.n for cell in cells}
    counts = tuple(tuple(found.get((label, mood), 0) for mood in NAMES) for label in NAMES)
    mistakes = sum(n for (label, mood), n in found.items() if label != mood)
    pairs = [
        ConfusedPair(first, second, share(both, mistakes))
        for index, first in enumerate(NAMES)
        for second in NAMES[index + 1 :]
        if (both := found.get((first, second), 0) + found.get((second, first), 0))
    ]
    pairs.sort(key=lambda pair: -pair.of_mistakes.k)
    return Confusion(counts, tuple(pairs))
