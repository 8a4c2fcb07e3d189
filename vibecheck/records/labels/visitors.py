"""Groups labelled faces by visitor, or by visit if there are few visitors."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

# With fewer visitors than this, visits are the units instead: one visitor is no sample.
FEWEST_VISITORS = 10
# A visit ends after this long without a vibe check.
VISIT_GAP = timedelta(minutes=30)


class OfVisitor(Protocol):
    """A labelled face: its visitor (None if unknown) and time."""

    @property
    def prediction_id(self) -> str: ...
    @property
    def visitor(self) -> str | None: ...
    @property
    def made_at(self) -> datetime | None: ...


Row = TypeVar("Row", bound=OfVisitor)


def units(rows: Sequence[OfVisitor]) -> dict[str, str]:
    """The unit of each row, by its prediction's id: a visitor, or a visit if there are few visitors."""
    by_visit = few_visitors(rows)
    return {row.prediction_id: unit for unit, members in groups(rows, by_visit) for row in members}


def few_visitors(rows: Iterable[OfVisitor]) -> bool:
    """Whether the visitors are too few to be the units."""
    return len({row.visitor for row in rows if row.visitor is not None}) < FEWEST_VISITORS


def groups(rows: Iterable[Row], by_visit: bool) -> list[tuple[str, list[Row]]]:
    """The rows of each visitor, or visit, with its name. A row without a visitor is a visitor of its own."""
    theirs: dict[str, list[Row]] = {}
    for row in rows:
        theirs.setdefault(row.visitor or row.prediction_id, []).append(row)
    if not by_visit:
        return list(theirs.items())
    return [visit for members in theirs.values() for visit in _visits(members)]


def _visits(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    """A visitor's rows, split at gaps of more than VISIT_GAP; a visit is named by its first row."""
    found: list[tuple[str, list[Row]]] = []
    last: datetime | None = None
    for row in sorted(rows, key=lambda each: (each.made_at is None, each.made_at, each.prediction_id)):
        if not found or (last is not None and row.made_at is not None and row.made_at - last > VISIT_GAP):
            found.append((row.prediction_id, []))
        found[-1][1].append(row)
        last = row.made_at
    return found
