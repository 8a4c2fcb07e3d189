"""Reads the row of a prediction, and what belongs to predictions: labels, plays, sides."""

from collections.abc import Callable, Collection, Iterable

from sqlalchemy import Connection, RowMapping, Table, select

from vibecheck.errors import UnknownPrediction
from vibecheck.records.db.batches import batches
from vibecheck.records.db.rows import Part, grouped
from vibecheck.records.db.tables import feedback, plays, predictions
from vibecheck.records.values import Feedback, Play, is_prediction_id


def row_of(connection: Connection, prediction_id: str, lock: bool = False) -> RowMapping:
    """The row of a prediction; with `lock`, locked until the transaction ends. Raises UnknownPrediction."""
    query = select(predictions).where(predictions.c.id == prediction_id)
    if lock:  # SQLite has no FOR UPDATE: there `writing` holds the lock of the whole database
        query = query.with_for_update()
    row = connection.execute(query).mappings().one_or_none() if is_prediction_id(prediction_id) else None
    if row is None:
        raise UnknownPrediction(f"There is no prediction with the id {prediction_id!r}: it may be deleted.")
    return row


def labels_of(connection: Connection, ids: Iterable[str]) -> dict[str, list[Feedback]]:
    """The labels of each of these predictions, oldest first; the empty list for any other id."""
    return parts_of(connection, feedback, ids, Feedback)


def plays_of(connection: Connection, ids: Collection[str]) -> dict[str, list[Play]]:
    """The playlists suggested for each of these predictions, oldest first."""
    found = parts_of(connection, plays, ids, Play)
    return {each: found[each] for each in ids}


def sides_of(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """The sides of those of the given predictions that have one, by id."""
    of = predictions.c
    found: dict[str, str] = {}
    for some in batches(ids):
        assigned = select(of.id, of.side).where(of.id.in_(some), of.side.is_not(None))
        found |= {row.id: row.side for row in connection.execute(assigned)}
    return found


def parts_of(
    connection: Connection, table: Table, ids: Iterable[str], value: Callable[..., Part]
) -> dict[str, list[Part]]:
    """The values in a table of labels or plays that belong to these predictions, by their number."""
    found: list[Part] = []
    for some in batches(ids):
        query = select(table).where(table.c.prediction_id.in_(some)).order_by(table.c.n)
        found += (value(**row) for row in connection.execute(query).mappings())
    return grouped(found)
