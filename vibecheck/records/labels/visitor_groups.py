"""Groups labelled faces by visitor, or by visit if there are few visitors."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from vibecheck.records.labels.judging_labels import JudgingLabel
from vibecheck.records.labels.labelled import LabelledPicture

# With fewer visitors than this, visits are the units instead: one visitor is no sample.
FEWEST_VISITORS = 10
# A visit ends after this long without a vibe check.
VISIT_GAP = timedelta(minutes=30)

# A labelled face.
Row = TypeVar("Row", bound=JudgingLabel | LabelledPicture)


def units(rows: Sequence[JudgingLabel]) -> list[str]:
    """The unit of each row: a visitor, or a visit if there are few visitors."""
    made = groups(rows, few_visitors(rows))
    by_id = {row.prediction_id: unit for unit, members in made for row in members}
    return [by_id[row.prediction_id] for row in rows]


def few_visitors(rows: Iterable[JudgingLabel | LabelledPicture]) -> bool:
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
