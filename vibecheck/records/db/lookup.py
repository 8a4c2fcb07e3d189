"""Reads predictions."""

from collections.abc import Callable, Collection, Iterable, Iterator

from sqlalchemy import Connection, Engine, RowMapping, Select, Table, and_, or_, select

from vibecheck.errors import UnknownPrediction
from vibecheck.records.db.batches import batches
from vibecheck.records.db.rows import Part, grouped, prediction_of
from vibecheck.records.db.tables import feedback, plays, predictions
from vibecheck.records.db.transactions import reading
from vibecheck.records.labels.effective_label import effective_label
from vibecheck.records.values import Cursor, Feedback, Play, Prediction, is_prediction_id

# Predictions read by one query of `history`.
PAGE = 1000


def row_of(connection: Connection, prediction_id: str, lock: bool = False) -> RowMapping:
    """The row of a prediction; with `lock`, locked until the transaction ends. Raises UnknownPrediction."""
    query = select(predictions).where(predictions.c.id == prediction_id)
    if lock:  # SQLite has no FOR UPDATE: there `writing` holds the lock of the whole database
        query = query.with_for_update()
    row = connection.execute(query).mappings().one_or_none() if is_prediction_id(prediction_id) else None
    if row is None:
        raise UnknownPrediction(f"There is no prediction with the id {prediction_id!r}: it may be deleted.")
    return row


def labels_of(connection: Connection, ids: Collection[str] | Select) -> dict[str, list[Feedback]]:
    """The labels of each of these predictions, oldest first; the empty list for any other id."""
    return _parts(connection, feedback, ids, Feedback)


def plays_of(connection: Connection, ids: Collection[str]) -> dict[str, list[Play]]:
    """The playlists suggested for each of these predictions, oldest first."""
    found = _parts(connection, plays, ids, Play)
    return {each: found[each] for each in ids}


def sides_of(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """The sides of those of the given predictions that have one, by id."""
    of = predictions.c
    found: dict[str, str] = {}
    for some in batches(ids):
        assigned = select(of.id, of.side).where(of.id.in_(some), of.side.is_not(None))
        found |= {row.id: row.side for row in connection.execute(assigned)}
    return found


def history(engine: Engine) -> Iterator[tuple[Prediction, Feedback | None]]:
    """All predictions, oldest first, each with its effective label or None; a transaction for each page."""
    after: Cursor | None = None
    while True:
        with reading(engine) as connection:
            found = history_page(connection, after)
            labels = labels_of(connection, [each.id for each in found])
        for each in found:
            yield each, effective_label(labels[each.id])
        if len(found) < PAGE:
            return
        after = found[-1].made_at, found[-1].id


def history_page(connection: Connection, after: Cursor | None) -> list[Prediction]:
    """The first PAGE predictions after a cursor, oldest first."""
    query = select(predictions).order_by(predictions.c.made_at, predictions.c.id).limit(PAGE)
    if after is not None:
        moment, prediction_id = after
        same = predictions.c.made_at == moment, predictions.c.id > prediction_id
        query = query.where(or_(predictions.c.made_at > moment, and_(*same)))
    return [prediction_of(row) for row in connection.execute(query).mappings()]


def _parts(
    connection: Connection, table: Table, ids: Collection[str] | Select, value: Callable[..., Part]
) -> dict[str, list[Part]]:
    query = select(table).where(table.c.prediction_id.in_(ids)).order_by(table.c.n)
    return grouped(value(**row) for row in connection.execute(query).mappings())
