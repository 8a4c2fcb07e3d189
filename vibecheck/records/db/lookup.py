"""Finding one prediction inside a transaction, and keeping others from changing it meanwhile."""

from sqlalchemy import Connection, RowMapping, select

from vibecheck.errors import UnknownPrediction
from vibecheck.records.db.tables import predictions
from vibecheck.records.values import is_prediction_id


def unknown(prediction_id: str) -> UnknownPrediction:
    """What is raised for an id that is not in the store."""
    return UnknownPrediction(f"There is no prediction with the id {prediction_id!r}: it may be deleted.")


def row_of(connection: Connection, prediction_id: str) -> RowMapping | None:
    """The row of a prediction, or None."""
    if not is_prediction_id(prediction_id):
        return None
    query = select(predictions).where(predictions.c.id == prediction_id)
    return connection.execute(query).mappings().one_or_none()


def locked(connection: Connection, prediction_id: str) -> RowMapping:
    """The row of a prediction, which nobody else changes or deletes until the transaction ends.

    Raises UnknownPrediction.
    """
    # On SQLite, where there is no FOR UPDATE, `writing` holds the lock of the whole database.
    query = select(predictions).where(predictions.c.id == prediction_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none() if is_prediction_id(prediction_id) else None
    if row is None:
        raise unknown(prediction_id)
    return row
