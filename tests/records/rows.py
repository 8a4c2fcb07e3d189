"""What the tests read and write in the tables behind a store's back."""

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, Row, select

from vibecheck.records import bulk
from vibecheck.records.db.rows import prediction_of
from vibecheck.records.db.tables import outbox, predictions
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.stats import summaries
from vibecheck.records.stats.bins import Signal
from vibecheck.records.store import Store
from vibecheck.records.values import Feedback, Prediction


def engine_of(store: Store) -> Engine:
    """The database of a store."""
    return store._engine


def rows_in(data: Path, query: str) -> list[tuple]:
    """What a query finds in the SQLite file of a data folder, which an app may have open."""
    with closing(sqlite3.connect(f"file:{data / 'vibecheck.db'}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


def add_labelled(store: Store, made: Sequence[Prediction], labels: Sequence[Feedback]) -> None:
    """Predictions of one model, each with its first label: as `Store.add` and `Store.label`, but at once.

    Only the first, which also makes the model known, is added to the outbox.
    """
    store.add(made[0], None)
    first = labels[0]
    store.label(first.prediction_id, first.label, first.source, first.given_by, first.given_at, first.queue)
    with writing(engine_of(store)) as connection:
        bulk.write(connection, bulk.Records(made[1:], labels[1:], ()))
        summaries.rebuild(connection)


def bin_of(signal: Signal, value: float) -> int:
    """The bin of a value, from 0, as the tables count it."""
    return bisect_right(signal.edges, abs(value) if signal.absolute else value)


def pending(connection: Connection, limit: int = 10_000) -> list[Row]:
    """The first rows of the outbox, oldest first."""
    return list(connection.execute(select(outbox).order_by(outbox.c.id).limit(limit)))


def queued(store: Store, limit: int = 1_000_000) -> list[Row]:
    """The first rows of a store's outbox, oldest first."""
    with reading(engine_of(store)) as connection:
        return pending(connection, limit)


def recent(store: Store, visitor: str, limit: int) -> list[Prediction]:
    """A visitor's newest predictions, newest first."""
    newest = predictions.c.made_at.desc(), predictions.c.id
    query = select(predictions).where(predictions.c.visitor == visitor).order_by(*newest).limit(limit)
    with reading(engine_of(store)) as connection:
        return [prediction_of(row) for row in connection.execute(query).mappings()]
