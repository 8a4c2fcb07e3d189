"""Which models were trained on predictions that were deleted since.

A model cannot unlearn, so it is marked: `trained_on.deleted_at` is set in the transaction that deletes the
prediction, or when a model is registered that was trained on it before.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from vibecheck.records.db.batches import batches
from vibecheck.records.db.tables import forgotten, outbox, predictions, trained_on
from vibecheck.records.db.transactions import database_now
from vibecheck.records.outbox.messages import enqueue_model


def ids(connection: Connection, version: str) -> dict[str, datetime | None]:
    """The predictions that a version was trained on, and when they were deleted."""
    query = select(trained_on.c.prediction_id, trained_on.c.deleted_at).where(trained_on.c.version == version)
    return {row.prediction_id: row.deleted_at for row in connection.execute(query)}


def mark(connection: Connection, prediction_ids: Sequence[str], now: datetime) -> None:
    """Marks the models that learned from these predictions, which are deleted in this transaction."""
    theirs = trained_on.c.prediction_id.in_(prediction_ids), trained_on.c.deleted_at.is_(None)
    versions = sorted(connection.execute(select(trained_on.c.version).where(*theirs).distinct()).scalars())
    if not versions:
        return
    connection.execute(update(trained_on).where(*theirs).values(deleted_at=now))
    for version in versions:
        enqueue_model(connection, version)


def mark_gone(connection: Connection, version: str, recorded: Sequence[str]) -> None:
    """Marks predictions that were deleted during the training.

    The ids `recorded` had a prediction, so those without one were deleted. Others may be of files that were
    never in the records: of these only deletions reported to Comet are known.
    """
    reported = select(outbox.c.prediction_id).where(outbox.c.kind == "deletion")
    gone = trained_on.c.prediction_id.in_(select(forgotten.c.prediction_id).union(reported))
    theirs = trained_on.c.version == version, trained_on.c.deleted_at.is_(None), gone
    now = database_now(connection)
    connection.execute(update(trained_on).where(*theirs).values(deleted_at=now))
    here: set[str] = set()
    for some in batches(recorded):
        found = select(predictions.c.id).where(predictions.c.id.in_(some)).order_by(predictions.c.id)
        # Locked: a concurrent deletion either marks it afterwards, or has already happened.
        here.update(connection.execute(found.with_for_update(read=True)).scalars())
    mark_these(connection, version, sorted(set(recorded) - here), now)


def mark_these(connection: Connection, version: str, prediction_ids: Collection[str], now: datetime) -> None:
    """Marks training predictions of a version that are known to be deleted."""
    for some in batches(prediction_ids):
        theirs = trained_on.c.version == version, trained_on.c.prediction_id.in_(some)
        unmarked = trained_on.c.deleted_at.is_(None)
        connection.execute(update(trained_on).where(*theirs, unmarked).values(deleted_at=now))
