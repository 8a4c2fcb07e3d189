"""Outcomes tallied by visitor, so that each has one vote: which outcomes, and their sums.

The sums are computed here, from one narrow row per label: for so many groupings of the same rows, each by
visitor too, that takes a quarter of the time that the database needs.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import eq, ge, le
from typing import Any, Self

import numpy as np
from sqlalchemy import ColumnElement, Label, Row, Table, and_, exists, func

from vibecheck.records.db.summary_tables import outcomes
from vibecheck.records.db.tables import feedback
from vibecheck.records.stats.bins import SIGNALS
from vibecheck.records.stats.results import Bin, Scope, VisitorTally
from vibecheck.records.stats.steps import first_day

# By what is grouped and the name of the group: its answers, and all others.
Groups = dict[tuple[str, str], tuple[VisitorTally, VisitorTally]]

# The columns of `outcomes` that are fetched, with their types in NumPy.
COLUMNS: dict[str, Any] = {
    "day": "datetime64[D]",
    "correct": bool,
    "confidence": float,
    **{f"{signal.column}_bin": int for signal in SIGNALS},
    **dict.fromkeys(("label", "mood", "source", "model_version"), str),
}


@dataclass(frozen=True, slots=True)
class Answers:
    """N labels as columns of N values: `who` are the visitors as numbers from 0, the others as in COLUMNS."""

    who: np.ndarray
    columns: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, parts: Iterable[Sequence[Row]]) -> Self:
        """Rows of `of_whom()` and COLUMNS; in parts, because rows take several times the memory."""
        known: dict[str, int] = {}
        kinds = int, *COLUMNS.values()
        arrays = [[np.array([], kind)] for kind in kinds]
        for part in parts:
            people, *values = zip(*part, strict=True)
            who = [known.setdefault(each, len(known)) for each in people]
            for array, column, kind in zip(arrays, (who, *values), kinds, strict=True):
                array.append(np.array(column, kind))
        numbers, *columns = map(np.concatenate, arrays)
        return cls(numbers, dict(zip(COLUMNS, columns, strict=True)))

    def at(self, places: np.ndarray) -> Self:
        """The labels at some places: indices, or N booleans."""
        return type(self)(self.who[places], {name: values[places] for name, values in self.columns.items()})

    def between(self, since: date | None, until: date | None = None) -> Self:
        """The labels of predictions from `since` to `until`, both included; None means no limit."""
        day = self.columns["day"]
        return self.at((day >= np.datetime64(since or date.min)) & (day <= np.datetime64(until or date.max)))

    def by(self, values: np.ndarray) -> dict[Any, Self]:
        """The labels with each of N `values`, in the order of the values."""
        names, codes = np.unique(values, return_inverse=True)
        places = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
        return {name: self.at(at) for name, at in zip(names.tolist(), places, strict=False)}

    def votes(self) -> np.ndarray:
        """The weight of each label, such that all those of a visitor weigh 1."""
        return 1 / np.bincount(self.who)[self.who]

    def tally(self) -> VisitorTally:
        """The tally of all labels."""
        return tally_of(self.who, self.columns["correct"])

    def by_version(self) -> dict[str, Self]:
        """The labels of each model version."""
        return self.by(self.columns["model_version"])

    def by_step(self, step: str, last: date) -> dict[date, VisitorTally]:
        """Tallies by the step that their day lies in, by its first day; see `steps.py`."""
        days, codes = np.unique(self.columns["day"], return_inverse=True)
        starts = np.array([first_day(day, last, step) for day in days.tolist()], days.dtype)[codes]
        return {start: mine.tally() for start, mine in self.by(starts).items()}

    def cells(self) -> dict[tuple[str, str], tuple[int, float]]:
        """By label and mood: their number and their weight; of one label, each visitor's weigh 1."""
        cells: dict[tuple[str, str], tuple[int, float]] = {}
        for label, row in self.by(self.columns["label"]).items():
            moods, codes = np.unique(row.columns["mood"], return_inverse=True)
            sums = np.bincount(codes).tolist(), np.bincount(codes, row.votes()).tolist()
            cells |= {(label, mood): (n, share) for mood, n, share in zip(moods.tolist(), *sums, strict=True)}
        return cells

    def confused(self) -> dict[tuple[str, str], VisitorTally]:
        """Mistakes by pair of moods, in both directions, as tallies of all mistakes."""
        wrong = ~self.columns["correct"]
        who, label, mood = (each[wrong] for each in (self.who, self.columns["label"], self.columns["mood"]))
        pairs = np.sort(np.stack([label, mood]), axis=0)
        return {
            (first, second): tally_of(who, (pairs[0] == first) & (pairs[1] == second))
            for first, second in sorted(set(zip(*pairs.tolist(), strict=True)))
        }

    def groups(self) -> Groups:
        """Tallies by bin of each signal, by mood, source and model version; empty ones are left out."""
        correct = self.columns["correct"]
        places = [
            (signal.column, name, np.isin(self.columns[f"{signal.column}_bin"], list(bins)))
            for signal in SIGNALS
            for name, bins in signal.groups
        ]
        places += [
            (what, str(name), self.columns[what] == name)
            for what in ("mood", "source", "model_version")
            for name in np.unique(self.columns[what])
        ]
        return {
            (what, name): (tally_of(self.who[at], correct[at]), tally_of(self.who[~at], correct[~at]))
            for what, name, at in places
            if at.any()
        }

    def bins(self) -> list[Bin]:
        """The labels in each bin of confidence."""
        numbers, votes = self.columns["confidence_bin"], self.votes()
        values = (votes, votes * self.columns["correct"], votes * self.columns["confidence"])
        sums = [np.bincount(numbers, value).tolist() for value in values]
        return [
            Bin(number, mine.tally(), *(each[number] for each in sums))
            for number, mine in self.by(numbers).items()
        ]


def inside(table: Table, scope: Scope) -> list[ColumnElement[bool]]:
    """The conditions of a scope; `table` is a summary, or for a scope of all days, `predictions`."""
    limits = (
        ("day", ge, scope.since),
        ("day", le, scope.until),
        ("model_version", eq, scope.model_version),
        ("source", eq, scope.source),
    )
    return [compare(table.c[name], limit) for name, compare, limit in limits if limit is not None]


def audits(scope: Scope) -> list[ColumnElement[bool]]:
    """The conditions of the audits of a scope."""
    return [*inside(outcomes, scope), outcomes.c.kind == "audit", outcomes.c.counts]


def random_queue(scope: Scope) -> list[ColumnElement[bool]]:
    """The conditions of the labels of a scope from the labellers' random queue."""
    return [*inside(outcomes, scope), from_random_queue(), outcomes.c.counts]


def from_random_queue() -> ColumnElement[bool]:
    """Whether an outcome is of a label that a labeller gave in the random queue."""
    same = (feedback.c.prediction_id == outcomes.c.prediction_id) & (feedback.c.n == outcomes.c.n)
    return and_(outcomes.c.kind == "labeller", exists().where(same, feedback.c.queue == "random"))


def of_whom() -> Label[str]:
    """The visitor of an outcome; a prediction without one is a visitor of its own."""
    return func.coalesce(outcomes.c.visitor, outcomes.c.prediction_id).label("who")


def numbered(visitors: Iterable[Hashable]) -> np.ndarray:
    """Visitors as numbers from 0."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(visitor, len(known)) for visitor in visitors], dtype=int)


def tally_of(who: np.ndarray, correct: np.ndarray) -> VisitorTally:
    """The tally of answers by the number of their visitor, and whether they are right."""
    n = np.bincount(who)
    right = np.bincount(who[correct], minlength=len(n))[n > 0]
    shares = right / n[n > 0]
    return VisitorTally(
        len(who), int(right.sum()), len(shares), float(shares.sum()), float((shares**2).sum())
    )
