"""Synthetic histories are marked as such and never mix with real records.

The mark is the origin of their model versions. It is part of the records, so it survives every copy
without a setting or a file beside them.
"""

from sqlalchemy import Connection, exists, select

from vibecheck.errors import RecordsError
from vibecheck.records.db.tables import model_versions
from vibecheck.records.db.transactions import ELSEWHERE

ORIGIN = "Made up by python -m vibecheck demo"


def is_synthetic(connection: Connection) -> bool:
    """Whether the records of this database are synthetic."""
    return connection.execute(select(exists().where(model_versions.c.origin == ORIGIN))).scalar_one()


def refuse_real(connection: Connection) -> None:
    """Raises RecordsError if the records are synthetic: real ones could not be told apart from them."""
    if is_synthetic(connection):
        raise RecordsError(
            "Not recorded: these records are a synthetic history, which takes no real ones. "
            f"To record, {ELSEWHERE}."
        )
