"""Two summary tables, from which the dashboard counts a million predictions in milliseconds.

`daily` has a row of counters per day, model, source and mood. `outcomes` has a narrow row for each label
that counts: whether the prediction was right, and the bin of each of its signals. Both are derived from the
other tables (`rebuild`). Code that changes predictions, feedback or plays calls the matching function here
in the same transaction.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Date,
    Insert,
    Integer,
    Select,
    Update,
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
    tuple_,
    update,
)

from vibecheck.emotions import NAMES
from vibecheck.records.db.summary_tables import daily, outcomes
from vibecheck.records.db.tables import feedback, plays, predictions
from vibecheck.records.db.transactions import INSERTS
from vibecheck.records.labels.effective_label import is_effective
from vibecheck.records.stats.bins import SIGNALS, Signal
from vibecheck.records.values import SECOND

KEY = tuple(column.name for column in daily.primary_key)
COUNTERS = tuple(column.name for column in daily.columns if not column.primary_key)

# At most this many labels per visitor and kind count in a day's statistics; the rest are kept, and used for
# training.
MOST_A_DAY = 3
LIMITED = ("audit", "volunteered")
# At most this many predictions per visitor count in a day's distributions of moods and signals, and this many
# playlists per prediction. All are kept.
MOST_IN_MIX = 10
MOST_PLAYS = 3

# The ids of predictions, bound when a statement is executed.
THESE: BindParameter[str] = bindparam("these", expanding=True)
UNJUDGE = delete(outcomes).where(outcomes.c.prediction_id.in_(THESE))
DISQUALIFY = update(outcomes).where(outcomes.c.prediction_id.in_(THESE)).values(eligible=False)


def count(connection: Connection, prediction_id: str) -> None:
    """Adds a prediction that was just stored to the counters, and decides whether it counts in the mixes."""
    connection.execute(_admit(connection.dialect.name), {"these": [prediction_id]})
    connection.execute(_count(connection.dialect.name, 1), {"these": [prediction_id]})


def count_play(connection: Connection, prediction_id: str, n: int, again: bool) -> None:
    """Adds a playlist that was just suggested to the counters; it is the prediction's `n`-th."""
    if n <= MOST_PLAYS:
        bound = {"these": [prediction_id], "again": int(again)}
        connection.execute(_count_play(connection.dialect.name), bound)


def forget(connection: Connection, prediction_ids: Sequence[str]) -> None:
    """Subtracts predictions from the counters; call it just before they are deleted.

    They are locked, so that of two concurrent deletions only one subtracts. Their rows of `outcomes` are
    deleted by the foreign key.
    """
    these = predictions.c.id.in_(prediction_ids)
    connection.execute(select(predictions.c.id).where(these).order_by(predictions.c.id).with_for_update())
    connection.execute(_count(connection.dialect.name, -1), {"these": prediction_ids})
    # Later labels of the same visitor and day now count instead.
    connection.execute(DISQUALIFY, {"these": prediction_ids})
    connection.execute(_limit(connection.dialect.name), {"these": prediction_ids})


def judge(connection: Connection, prediction_ids: Sequence[str]) -> None:
    """Updates the outcomes of these predictions; call it after any change of their feedback or pictures."""
    connection.execute(UNJUDGE, {"these": prediction_ids})
    connection.execute(_judge(connection.dialect.name), {"these": prediction_ids})
    connection.execute(_limit(connection.dialect.name), {"these": prediction_ids})


def rebuild(connection: Connection) -> None:
    """Rebuilds both summaries from the other tables."""
    connection.execute(delete(daily))
    connection.execute(delete(outcomes))
    dialect = connection.dialect.name
    connection.execute(_added(dialect, _counted(dialect, true(), 1)))
    connection.execute(_judged(dialect, true()))
    connection.execute(_limited(true()))


def label_counts() -> ColumnElement[bool]:
    """Whether a label counts in the statistics of its source, but for the limit of each visitor.

    For audits the first answer counts, because it was given before anything could be learned from being
    asked. For every other source the newest counts; among labellers', those from the random queue come
    first, because they were given without seeing the model's answer. An "audit" of a prediction that was not
    drawn does not count, and neither does a second label.
    """
    other = feedback.alias("other")
    audit = feedback.c.source == "audit"
    blind, other_blind = (each.c.queue.is_not_distinct_from("random") for each in (feedback, other))
    overruled = exists().where(
        other.c.prediction_id == feedback.c.prediction_id,
        other.c.source == feedback.c.source,
        or_(
            and_(audit, other.c.n < feedback.c.n),
            and_(~audit, other_blind, ~blind),
            and_(~audit, other_blind == blind, other.c.n > feedback.c.n),
        ),
    )
    return and_(~overruled, feedback.c.source != SECOND, or_(~audit, predictions.c.audit))


# Compiling these statements takes SQLAlchemy ten times as long as executing them, so they are cached.


@cache
def _admit(dialect: str) -> Update:
    """The statement that excludes predictions from the mixes if enough of their visitor and day count."""
    other, of = predictions.alias("other"), predictions.c
    start, end = _day_limits(dialect)
    theirs = other.c.visitor == of.visitor, other.c.made_at >= start, other.c.made_at < end, other.c.counts
    counting = select(func.count()).select_from(other).where(*theirs).scalar_subquery()
    return update(predictions).where(of.id.in_(THESE), counting > MOST_IN_MIX).values(counts=False)


@cache
def _count(dialect: str, sign: int) -> Insert:
    return _added(dialect, _counted(dialect, predictions.c.id.in_(THESE), sign))


@cache
def _count_play(dialect: str) -> Update:
    """The statement that adds a play to the counters; storing its prediction has made the row."""
    mine = select(*_key(dialect)).where(predictions.c.id.in_(THESE), predictions.c.counts)
    more = {"plays": daily.c.plays + 1, "agains": daily.c.agains + bindparam("again", type_=Integer)}
    return update(daily).where(tuple_(*daily.primary_key).in_(mine)).values(more)


@cache
def _judge(dialect: str) -> Insert:
    return _judged(dialect, feedback.c.prediction_id.in_(THESE))


def _judged(dialect: str, which: ColumnElement[bool]) -> Insert:
    """The statement that inserts the outcomes of some labels."""
    copied = ("model_version", "source", "mood", "confidence", "visitor", "picture_kept")
    # Only the seven moods can be right or wrong: other labels have no outcome.
    values = {
        **{name: predictions.c[name] for name in copied},
        "prediction_id": feedback.c.prediction_id,
        "n": feedback.c.n,
        "kind": feedback.c.source,
        "day": _day(dialect),
        "label": feedback.c.label,
        "correct": predictions.c.mood == feedback.c.label,
        "counts": label_counts(),
        "holds": is_effective(),
        "label_probability": case(
            *((feedback.c.label == name, predictions.c[f"p_{name}"]) for name in NAMES)
        ),
        **{f"{signal.column}_bin": _bin(signal) for signal in SIGNALS},
        "given_at": feedback.c.given_at,
        "eligible": label_counts(),
    }
    query = (
        select(*(value.label(name) for name, value in values.items()))
        .join_from(feedback, predictions)
        .where(which, feedback.c.label.in_(NAMES), or_(label_counts(), is_effective()))
    )
    return outcomes.insert().from_select(list(values), query)


@cache
def _limit(dialect: str) -> Update:
    """The statement that limits the labels of the visitors and days of these predictions."""
    mine = predictions.c.id.in_(THESE)
    return _limited(
        outcomes.c.visitor.in_(select(predictions.c.visitor).where(mine))
        & outcomes.c.day.in_(select(_day(dialect)).where(mine))
    )


def _limited(which: ColumnElement[bool]) -> Update:
    """The statement that lets only the first MOST_A_DAY labels of each visitor, day and kind count.

    They are the first given, so that a later label does not change which count. `which` selects some rows
    of `outcomes`, of a visitor and day to all or none.
    """
    of = outcomes.c
    place = func.row_number().over(
        partition_by=(of.visitor, of.day, of.kind), order_by=(of.given_at, of.prediction_id, of.n)
    )
    theirs = which, of.visitor.is_not(None), of.kind.in_(LIMITED)
    ranked = select(of.prediction_id, of.n, place.label("place")).where(*theirs, of.eligible).subquery()
    beyond = select(ranked.c.prediction_id, ranked.c.n).where(ranked.c.place > MOST_A_DAY)
    counts = of.eligible & ~tuple_(of.prediction_id, of.n).in_(beyond)
    return update(outcomes).where(*theirs, of.counts != counts).values(counts=counts)


def _counted(dialect: str, which: ColumnElement[bool], sign: int) -> Select:
    """The rows of `daily` for some predictions, each number times `sign` (1 or -1)."""
    of = predictions.c
    suggested = select(func.count()).where(plays.c.prediction_id == of.id, plays.c.n <= MOST_PLAYS, of.counts)
    # The bins come first, since each of them is counted in several columns.
    bins = (case((of.counts, _bin(signal))).label(f"{signal.column}_bin") for signal in SIGNALS)
    rows = select(
        *_key(dialect),
        of.audit,
        of.counts,
        of.confidence,
        of.latency_ms,
        suggested.scalar_subquery().label("plays"),
        suggested.where(plays.c.again).scalar_subquery().label("agains"),
        *bins,
    )
    each = rows.where(which).subquery().c
    totals = {
        "n": func.count(),
        "counted": func.count().filter(each.counts),
        "audits": func.count().filter(each.audit),
        "plays": func.sum(each.plays),
        "agains": func.sum(each.agains),
        "confidence_sum": func.sum(each.confidence),
        "latency_sum": func.sum(each.latency_ms),
        **{
            f"{signal.column}_{index}": func.count().filter(each[f"{signal.column}_bin"] == index)
            for signal in SIGNALS
            for index in range(len(signal.names))
        },
    }
    key = [each[name] for name in KEY]
    numbers = ((total if sign > 0 else -total).label(name) for name, total in totals.items())
    return select(*key, *numbers).group_by(*key)


def _added(dialect: str, rows: Select) -> Insert:
    """Adds rows of counts to `daily` in key order, so that concurrent writers cannot deadlock."""
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


def _day_limits(dialect: str) -> tuple[ColumnElement, ColumnElement]:
    """The start of the day in UTC on which a prediction was made, and that of the next."""
    if dialect == "sqlite":
        return func.date(predictions.c.made_at), func.date(predictions.c.made_at, "+1 day")
    start = func.timezone("UTC", func.date_trunc("day", func.timezone("UTC", predictions.c.made_at)))
    return start, start + literal(timedelta(days=1))


def _bin(signal: Signal) -> ColumnElement[int]:
    column = predictions.c[signal.column]
    value: ColumnElement[Any] = func.abs(column) if signal.absolute else column
    return case(*((value < edge, index) for index, edge in enumerate(signal.edges)), else_=len(signal.edges))
