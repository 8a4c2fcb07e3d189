"""Two summaries that let the dashboard count a million predictions in a blink.

`daily` has one row a day, model, source and mood, with counters. `outcomes` has one narrow row for
each label that counts: was the prediction right, and in which bin is each of its signals. They hold
nothing that the other tables do not say; `rebuild` makes them anew from those. Whoever changes
predictions, feedback or plays calls, in the same transaction, the function here that belongs to it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Date,
    Delete,
    Insert,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    true,
)

from vibecheck.emotions import NAMES
from vibecheck.records.db.tables import daily, feedback, outcomes, plays, predictions
from vibecheck.records.db.transactions import INSERTS
from vibecheck.records.labels.which_counts import label_holds
from vibecheck.records.stats.bins import SIGNALS, Signal

KEY = tuple(column.name for column in daily.primary_key)
COUNTERS = tuple(column.name for column in daily.columns if not column.primary_key)


# The predictions that a statement is about, given when it is executed.
THESE: BindParameter[str] = bindparam("these", expanding=True)


def count(connection: Connection, prediction_id: str) -> None:
    """Counts a prediction that was just stored."""
    connection.execute(_count(connection.dialect.name, 1), {"these": [prediction_id]})


def count_play(connection: Connection, prediction_id: str, again: bool) -> None:
    """Counts a playlist that was just suggested for a prediction."""
    connection.execute(_count_play(connection.dialect.name), {"these": [prediction_id], "again": int(again)})


def forget(connection: Connection, prediction_ids: Sequence[str]) -> None:
    """Takes predictions out of the counts: call it just before they are deleted.

    They are locked, so that of two that delete the same prediction only one takes it out. Their rows
    of `outcomes` go with them by themselves.
    """
    these = predictions.c.id.in_(prediction_ids)
    connection.execute(select(predictions.c.id).where(these).order_by(predictions.c.id).with_for_update())
    connection.execute(_count(connection.dialect.name, -1), {"these": prediction_ids})


def judge(connection: Connection, prediction_ids: Sequence[str]) -> None:
    """Says anew what the labels of these predictions mean: call it after any change of their feedback."""
    connection.execute(_unjudge(), {"these": prediction_ids})
    connection.execute(_judge(connection.dialect.name), {"these": prediction_ids})


def rebuild(connection: Connection) -> None:
    """Makes both summaries anew."""
    connection.execute(delete(daily))
    connection.execute(delete(outcomes))
    dialect = connection.dialect.name
    connection.execute(_added(dialect, _counted(dialect, true(), 1)))
    connection.execute(_judged(dialect, true()))


def label_counts() -> ColumnElement[bool]:
    """Whether a label speaks for its source in the statistics.

    Of an audit the first answer does, because it was given before anything could be learned from
    asking; of every other source the newest. An answer to a check that was not drawn to be asked
    about is no audit.
    """
    other = feedback.alias("other")
    audit = feedback.c.source == "audit"
    overruled = exists().where(
        other.c.prediction_id == feedback.c.prediction_id,
        other.c.source == feedback.c.source,
        or_(and_(audit, other.c.n < feedback.c.n), and_(~audit, other.c.n > feedback.c.n)),
    )
    return and_(~overruled, or_(~audit, predictions.c.audit))


# To write these statements out takes SQLAlchemy ten times as long as the database needs to execute them:
# they are made once.


@cache
def _count(dialect: str, sign: int) -> Insert:
    return _added(dialect, _counted(dialect, predictions.c.id.in_(THESE), sign))


@cache
def _count_play(dialect: str) -> Insert:
    mine = {"plays": literal(1, Integer), "agains": bindparam("again", type_=Integer)}
    counters = (mine.get(name, literal(0, daily.c[name].type)).label(name) for name in COUNTERS)
    return _added(dialect, select(*_key(dialect), *counters).where(predictions.c.id.in_(THESE)))


@cache
def _unjudge() -> Delete:
    return delete(outcomes).where(outcomes.c.prediction_id.in_(THESE))


@cache
def _judge(dialect: str) -> Insert:
    return _judged(dialect, feedback.c.prediction_id.in_(THESE))


def _judged(dialect: str, which: ColumnElement[bool]) -> Insert:
    """Inserts the outcomes of some labels."""
    # Only one of the seven moods can be right or wrong: other labels make no row.
    values = {
        "prediction_id": feedback.c.prediction_id,
        "n": feedback.c.n,
        "kind": feedback.c.source,
        "day": _day(dialect),
        "model_version": predictions.c.model_version,
        "source": predictions.c.source,
        "mood": predictions.c.mood,
        "label": feedback.c.label,
        "correct": predictions.c.mood == feedback.c.label,
        "counts": label_counts(),
        "holds": label_holds(),
        "confidence": predictions.c.confidence,
        "label_probability": case(
            *((feedback.c.label == name, predictions.c[f"p_{name}"]) for name in NAMES)
        ),
        **{f"{signal.column}_bin": _bin(signal) for signal in SIGNALS},
        "given_at": feedback.c.given_at,
    }
    query = (
        select(*(value.label(name) for name, value in values.items()))
        .join_from(feedback, predictions)
        .where(which, feedback.c.label.in_(NAMES), or_(label_counts(), label_holds()))
    )
    return outcomes.insert().from_select(list(values), query)


def _counted(dialect: str, which: ColumnElement[bool], sign: int) -> Select:
    """The rows of `daily` for some predictions, each number times `sign`."""

    def number(name: str, total: ColumnElement) -> ColumnElement:
        return cast(total * sign, daily.c[name].type).label(name)

    suggested = select(func.count()).where(plays.c.prediction_id == predictions.c.id)
    bins = (
        number(f"{signal.column}_{index}", func.sum(case((_bin(signal) == index, 1), else_=0)))
        for signal in SIGNALS
        for index in range(len(signal.names))
    )
    key = _key(dialect)
    return (
        select(
            *key,
            number("n", func.count()),
            number("audits", func.sum(case((predictions.c.audit, 1), else_=0))),
            number("plays", func.sum(suggested.scalar_subquery())),
            number("agains", func.sum(suggested.where(plays.c.again).scalar_subquery())),
            number("confidence_sum", func.sum(predictions.c.confidence)),
            number("latency_sum", func.sum(predictions.c.latency_ms)),
            *bins,
        )
        .where(which)
        .group_by(*key)
    )


def _added(dialect: str, rows: Select) -> Insert:
    """Adds rows of counts to `daily`, in the order of its key: so no two writers wait for each other."""
    rows = rows.order_by(*(rows.selected_columns[name] for name in KEY))
    insert = INSERTS[dialect](daily).from_select([*KEY, *COUNTERS], rows)
    sums = {name: daily.c[name] + insert.excluded[name] for name in COUNTERS}
    return insert.on_conflict_do_update(index_elements=list(KEY), set_=sums)


def _key(dialect: str) -> tuple[ColumnElement, ...]:
    of = predictions.c
    return _day(dialect).label("day"), of.model_version, of.source, of.mood


def _day(dialect: str) -> ColumnElement:
    """The day in UTC on which a prediction was made."""
    if dialect == "sqlite":
        return func.date(predictions.c.made_at, type_=Date)
    return cast(func.timezone("UTC", predictions.c.made_at), Date)


def _bin(signal: Signal) -> ColumnElement[int]:
    column = predictions.c[signal.column]
    value: ColumnElement[Any] = func.abs(column) if signal.absolute else column
    return case(*((value < edge, index) for index, edge in enumerate(signal.edges)), else_=len(signal.edges))
