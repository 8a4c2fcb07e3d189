"""Reads predictions."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, Select, Table, and_, or_, select

from vibecheck.errors import UnknownPrediction
from vibecheck.records.db.rows import feedback_of, play_of, prediction_of
from vibecheck.records.db.tables import feedback, plays, predictions
from vibecheck.records.db.transactions import reading
from vibecheck.records.labels.effective_label import effective_label
from vibecheck.records.values import Feedback, Play, Prediction, is_prediction_id

# Predictions read by one query of `history`.
PAGE = 1000

# The time and the id of a prediction, which order all of them.
Position = tuple[datetime, str]


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


def with_pictures(connection: Connection, ids: Collection[str]) -> set[str]:
    """The given predictions that exist and whose pictures may be kept."""
    query = select(predictions.c.id).where(predictions.c.id.in_(ids), predictions.c.picture_kept)
    return set(connection.execute(query).scalars())


def newest_with_picture(connection: Connection, limit: int) -> list[Prediction]:
    """The newest `limit` predictions whose picture was kept, newest first."""
    newest = predictions.c.made_at.desc(), predictions.c.id
    query = select(predictions).where(predictions.c.picture_kept).order_by(*newest).limit(limit)
    return [prediction_of(row) for row in connection.execute(query).mappings()]


def plays_of_each(connection: Connection, ids: Collection[str]) -> dict[str, list[Play]]:
    """The playlists suggested for each of these predictions, oldest first."""
    found: dict[str, list[Play]] = {each: [] for each in ids}
    for row in connection.execute(_belonging(plays, ids)).mappings():
        found[row["prediction_id"]].append(play_of(row))
    return found


def history(engine: Engine) -> Iterator[tuple[Prediction, Feedback | None]]:
    """All predictions, oldest first, each with its effective label or None; a transaction for each page."""
    after: Position | None = None
    while True:
        with reading(engine) as connection:
            found = history_page(connection, after, PAGE)
        yield from found
        if len(found) < PAGE:
            return
        last, _ = found[-1]
        after = last.made_at, last.id


def history_page(
    connection: Connection, after: Position | None, limit: int
) -> list[tuple[Prediction, Feedback | None]]:
    """The first `limit` predictions after a position, oldest first, each with its effective label."""
    query = select(predictions).order_by(predictions.c.made_at, predictions.c.id).limit(limit)
    if after is not None:
        moment, prediction_id = after
        same = predictions.c.made_at == moment, predictions.c.id > prediction_id
        query = query.where(or_(predictions.c.made_at > moment, and_(*same)))
    found = [prediction_of(row) for row in connection.execute(query).mappings()]
    labels: dict[str, list[Feedback]] = {prediction.id: [] for prediction in found}
    given = select(feedback).where(feedback.c.prediction_id.in_(labels)).order_by(feedback.c.n)
    for row in connection.execute(given).mappings():
        labels[row["prediction_id"]].append(feedback_of(row))
    return [(prediction, effective_label(labels[prediction.id])) for prediction in found]


def parts_of(
    connection: Connection, ids: Collection[str]
) -> tuple[dict[str, list[Feedback]], dict[str, list[Play]], dict[str, str]]:
    """Labels, plays and sides of predictions, by id; oldest first."""
    labels: dict[str, list[Feedback]] = defaultdict(list)
    for row in connection.execute(_belonging(feedback, ids)).mappings():
        labels[row["prediction_id"]].append(feedback_of(row))
    played: dict[str, list[Play]] = defaultdict(list)
    for row in connection.execute(_belonging(plays, ids)).mappings():
        played[row["prediction_id"]].append(play_of(row))
    assigned = select(predictions.c.id, predictions.c.side).where(
        predictions.c.id.in_(ids), predictions.c.side.is_not(None)
    )
    return labels, played, {row.id: row.side for row in connection.execute(assigned)}


def _belonging(table: Table, ids: Collection[str]) -> Select:
    return select(table).where(table.c.prediction_id.in_(list(ids))).order_by(table.c.n)
