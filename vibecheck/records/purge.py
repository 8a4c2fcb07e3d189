"""Deletes what is older than it may be kept."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, delete, select

from vibecheck.records import summaries
from vibecheck.records.images import Images
from vibecheck.records.tables import outbox, predictions
from vibecheck.records.transactions import reading, writing

# Predictions that one transaction deletes: it takes milliseconds, so others hardly wait.
BATCH = 200

# Ids in one question to the database; SQLite takes 32,766 values in a statement, Postgres 65,535.
QUESTION = 5000


def purge(engine: Engine, images: Images, older_than: datetime) -> int:
    """Deletes all predictions made before `older_than`, with all that hangs on them; returns how many.

    That is their pictures, feedback, plays and rows in the outbox. Each picture goes before its row:
    if the process dies between, the row still names the picture's prediction, and the next purge
    deletes it. Pictures that lost their row, or never got one, go too. Works in small batches, and
    may run in several processes at once. Raises RecordsError, and ValueError for a time without a zone.
    """
    if older_than.utcoffset() is None:
        raise ValueError("older_than must carry a time zone")
    deleted = 0
    while batch := _oldest(engine, older_than):
        for prediction_id, picture_kept in batch:
            if picture_kept:
                images.delete(prediction_id)
        deleted += _delete_rows(engine, [prediction_id for prediction_id, _ in batch])
    images.remove_strays(older_than, lambda ids: _stored(engine, ids))
    return deleted


def _oldest(engine: Engine, older_than: datetime) -> list[tuple[str, bool]]:
    query = (
        select(predictions.c.id, predictions.c.picture_kept)
        .where(predictions.c.made_at < older_than)
        .order_by(predictions.c.made_at)
        .limit(BATCH)
    )
    with reading(engine) as connection:
        return [(row.id, row.picture_kept) for row in connection.execute(query)]


def _delete_rows(engine: Engine, ids: list[str]) -> int:
    # The outbox comes second: from the first deletion on, nothing new can hang on these predictions.
    with writing(engine) as connection:
        summaries.forget(connection, ids)
        rows = connection.execute(delete(predictions).where(predictions.c.id.in_(ids))).rowcount
        connection.execute(delete(outbox).where(outbox.c.prediction_id.in_(ids)))
    return rows


def _stored(engine: Engine, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), QUESTION):
        query = select(predictions.c.id).where(predictions.c.id.in_(ids[start : start + QUESTION]))
        with reading(engine) as connection:
            found.update(connection.execute(query).scalars())
    return found
