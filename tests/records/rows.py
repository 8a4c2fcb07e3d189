"""What the tests read from the tables behind a store's back."""

from bisect import bisect_right

from sqlalchemy import Connection, Engine, select

from vibecheck.records.db.rows import prediction_of
from vibecheck.records.db.tables import outbox, predictions
from vibecheck.records.db.transactions import reading
from vibecheck.records.outbox.messages import Outgoing
from vibecheck.records.stats.bins import Signal
from vibecheck.records.store import Store
from vibecheck.records.values import Prediction


def engine_of(store: Store) -> Engine:
    """The database of a store."""
    return store._engine


def bin_of(signal: Signal, value: float) -> int:
    """The bin of a value, from 0, as the tables count it."""
    return bisect_right(signal.edges, abs(value) if signal.absolute else value)


def pending(connection: Connection, limit: int = 10_000) -> list[Outgoing]:
    """The first rows of the outbox, oldest first."""
    rows = connection.execute(select(outbox).order_by(outbox.c.id).limit(limit)).mappings()
    return [Outgoing.of(row) for row in rows]


def queued(store: Store, limit: int = 1_000_000) -> list[Outgoing]:
    """The first rows of a store's outbox, oldest first."""
    with reading(engine_of(store)) as connection:
        return pending(connection, limit)


def recent(store: Store, visitor: str, limit: int) -> list[Prediction]:
    """A visitor's newest predictions, newest first."""
    newest = predictions.c.made_at.desc(), predictions.c.id
    query = select(predictions).where(predictions.c.visitor == visitor).order_by(*newest).limit(limit)
    with reading(engine_of(store)) as connection:
        return [prediction_of(row) for row in connection.execute(query).mappings()]
