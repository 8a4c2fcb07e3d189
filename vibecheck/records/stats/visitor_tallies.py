"""Outcomes tallied by visitor, so that each has one vote: which outcomes, and SQL that adds them up."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from operator import eq, ge, le
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Double, Label, Subquery, Table, and_, cast, exists, func, select

from vibecheck.records.db.summary_tables import outcomes
from vibecheck.records.db.tables import feedback
from vibecheck.records.stats.bins import SIGNALS
from vibecheck.records.stats.results import Scope, VisitorTally

# By what is grouped and the name of the group: its answers, and all others.
Groups = dict[tuple[str, str], tuple[VisitorTally, VisitorTally]]


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


def by_visitor(where: Sequence[ColumnElement[bool]], *key: ColumnElement, **sums: ColumnElement) -> Subquery:
    """For each visitor (`who`) and key: `n` outcomes, of which `correct` are right, and other sums.

    A prediction without a visitor is one of its own.
    """
    who = of_whom()
    others = (value.label(name) for name, value in sums.items())
    correct = func.count().filter(outcomes.c.correct)
    query = select(*key, who, func.count().label("n"), correct.label("correct"), *others)
    return query.where(*where).group_by(*key, who).subquery()


def of_whom() -> Label[str]:
    """The visitor of an outcome; a prediction without one is a visitor of its own."""
    return func.coalesce(outcomes.c.visitor, outcomes.c.prediction_id).label("who")


def numbered(visitors: Iterable[Hashable]) -> np.ndarray:
    """Visitors as numbers from 0."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(visitor, len(known)) for visitor in visitors], dtype=int)


def groups_of(who: np.ndarray, correct: np.ndarray, table: Mapping[str, np.ndarray]) -> Groups:
    """Answers by bin of each signal, by mood, source and model version; each group with all others.

    `table` has a column for each of these, with a value for each answer.
    """
    places = [
        (signal.column, name, np.isin(table[f"{signal.column}_bin"], list(bins)))
        for signal in SIGNALS
        for name, bins in signal.groups
    ]
    places += [
        (what, str(name), table[what] == name)
        for what in ("mood", "source", "model_version")
        for name in np.unique(table[what])
    ]
    return {
        (what, name): (tally_of(who[inside], correct[inside]), tally_of(who[~inside], correct[~inside]))
        for what, name, inside in places
        if inside.any()
    }


def tally_of(who: np.ndarray, correct: np.ndarray) -> VisitorTally:
    """The tally of answers by the number of their visitor, and whether they are right."""
    n = np.bincount(who)
    right = np.bincount(who[correct], minlength=len(n))[n > 0]
    shares = right / n[n > 0]
    return VisitorTally(
        len(who), int(right.sum()), len(shares), float(shares.sum()), float((shares**2).sum())
    )


def tally_sums(n: ColumnElement, correct: ColumnElement) -> tuple[ColumnElement, ...]:
    """The five fields of a `VisitorTally`, over the rows of visitors."""
    share = real(correct) / n
    return func.sum(n), func.sum(correct), func.count(), func.sum(share), func.sum(share * share)


def tally(row: Sequence[Any]) -> VisitorTally:
    """The five sums of `tally_sums`, as they come from the database: NULL if there are no visitors."""
    n, correct, visitors, shares, squares = row
    return VisitorTally(int(n or 0), int(correct or 0), visitors, float(shares or 0), float(squares or 0))


def real(column: ColumnElement) -> ColumnElement[float]:
    """A number as a real one, so that it is not divided as an integer."""
    return cast(column, Double)
