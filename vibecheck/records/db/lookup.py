"""Reads predictions."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from sqlalchemy import Connection, Engine, RowMapping, Table, and_, or_, select

from vibecheck.errors import UnknownPrediction
from vibecheck.records.db.batches import batches
from vibecheck.records.db.rows import feedback_of, play_of, prediction_of
from vibecheck.records.db.tables import feedback, plays, predictions
from vibecheck.records.db.transactions import reading
from vibecheck.records.labels.effective_label import effective_label
from vibecheck.records.values import Cursor, Feedback, Play, Prediction, is_prediction_id

# Predictions read by one query of `history`.
PAGE = 1000

Value = TypeVar("Value")


def unknown(prediction_id: str) -> UnknownPrediction:
    """The error for an id that is not in the store."""
    return UnknownPrediction(f"There is no prediction with the id {prediction_id!r}: it may be deleted.")


def row_of(connection: Connection, prediction_id: str) -> RowMapping | None:
    """The row of a prediction, or None."""
    if not is_prediction_id(prediction_id):
        return None
    query = select(predictions).where(predictions.c.id == prediction_id)
    return connection.execute(query).mappings().one_or_none()


def locked(connection: Connection, prediction_id: str) -> RowMapping:
    """The row of a prediction, locked until the transaction ends. Raises UnknownPrediction."""
    # On SQLite, which has no FOR UPDATE, `writing` holds the lock of the whole database.
    query = select(predictions).where(predictions.c.id == prediction_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none() if is_prediction_id(prediction_id) else None
    if row is None:
        raise unknown(prediction_id)
    return row


def newest_with_picture(connection: Connection, limit: int) -> list[Prediction]:
    """The newest `limit` predictions whose picture was kept, newest first."""
    newest = predictions.c.made_at.desc(), predictions.c.id
    query = select(predictions).where(predictions.c.picture_kept).order_by(*newest).limit(limit)
    return [prediction_of(row) for row in connection.execute(query).mappings()]


def plays_of_each(connection: Connection, ids: Collection[str]) -> dict[str, list[Play]]:
    """The playlists suggested for each of these predictions, oldest first."""
    return _of_each(connection, plays, ids, play_of)


def history(engine: Engine) -> Iterator[tuple[Prediction, Feedback | None]]:
    """All predictions, oldest first, each with its effective label or None; a transaction for each page."""
    after: Cursor | None = None
    while True:
        with reading(engine) as connection:
            found = history_page(connection, after, PAGE)
        yield from found
        if len(found) < PAGE:
            return
        last, _ = found[-1]
        after = last.made_at, last.id


def history_page(
    connection: Connection, after: Cursor | None, limit: int
) -> list[tuple[Prediction, Feedback | None]]:
    """The first `limit` predictions after a cursor, oldest first, each with its effective label."""
    query = select(predictions).order_by(predictions.c.made_at, predictions.c.id).limit(limit)
    if after is not None:
        moment, prediction_id = after
        same = predictions.c.made_at == moment, predictions.c.id > prediction_id
        query = query.where(or_(predictions.c.made_at > moment, and_(*same)))
    found = [prediction_of(row) for row in connection.execute(query).mappings()]
    labels = _of_each(connection, feedback, [prediction.id for prediction in found], feedback_of)
    return [(prediction, effective_label(labels[prediction.id])) for prediction in found]


def parts_of(
    connection: Connection, ids: Collection[str]
) -> tuple[dict[str, list[Feedback]], dict[str, list[Play]], dict[str, str]]:
    """Labels, plays and sides of predictions, by id; oldest first."""
    labels = _of_each(connection, feedback, ids, feedback_of)
    return labels, plays_of_each(connection, ids), sides_of(connection, ids)


def sides_of(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """The sides of those of the given predictions that have one, by id."""
    of = predictions.c
    found: dict[str, str] = {}
    for some in batches(ids):
        assigned = select(of.id, of.side).where(of.id.in_(some), of.side.is_not(None))
        found |= {row.id: row.side for row in connection.execute(assigned)}
    return found


def _of_each(
    connection: Connection, table: Table, ids: Collection[str], value_of: Callable[[RowMapping], Value]
) -> dict[str, list[Value]]:
    """The rows of labels or plays of each of these predictions, as values, oldest first."""
    found: dict[str, list[Value]] = {each: [] for each in ids}
    query = select(table).where(table.c.prediction_id.in_(found)).order_by(table.c.n)
    for row in connection.execute(query).mappings():
        found[row["prediction_id"]].append(value_of(row))
    return found
