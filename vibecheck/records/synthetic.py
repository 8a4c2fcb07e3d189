"""Synthetic history: records that are made up say so themselves, and never mix with real ones.

What says so is the origin of their model versions. It lies among the records, so it goes wherever
they are copied, and no setting or file has to be kept beside them.
"""

from sqlalchemy import Connection, exists, select

from vibecheck.errors import RecordsError
from vibecheck.records.db.tables import model_versions

ORIGIN = "Made up by python -m vibecheck demo"


def is_synthetic(connection: Connection) -> bool:
    """Whether the records of this database are made up."""
    return connection.execute(select(exists().where(model_versions.c.origin == ORIGIN))).scalar_one()


def refuse_real(connection: Connection) -> None:
    """Raises RecordsError where the records are made up: a real one among them would be lost to sight."""
    if is_synthetic(connection):
        raise RecordsError(
            "Not recorded: these records are a synthetic history, which takes no real ones. "
            "To record, set VIBECHECK_DATA to another folder."
        )
