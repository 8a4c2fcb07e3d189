"""The rows of the calibrations, within a transaction: the latest of a version is in use."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from vibecheck.records.db.tables import calibrations
from vibecheck.records.db.transactions import database_now, insert_new
from vibecheck.records.learned_calibration import LearnedCalibration


def in_use(connection: Connection, version: str) -> LearnedCalibration | None:
    """The calibration in use for a version; None for the one it shipped with."""
    return next(iter(history(connection, version, limit=1)), None)


def history(
    connection: Connection, version: str | None = None, limit: int | None = None
) -> list[LearnedCalibration]:
    """The calibrations of a version, or of all, newest first: all, or the newest `limit`."""
    query = select(calibrations).order_by(calibrations.c.from_when.desc(), calibrations.c.id).limit(limit)
    if version is not None:
        query = query.where(calibrations.c.version == version)
    rows = connection.execute(query).mappings()
    return [LearnedCalibration(**{**row, "bias": tuple(row["bias"])}) for row in rows]


def add(connection: Connection, new: LearnedCalibration) -> None:
    """Puts a calibration into use."""
    connection.execute(insert(calibrations).values(asdict(new)))


def merge(connection: Connection, found: Sequence[LearnedCalibration]) -> None:
    """Adds missing calibrations, except any from the future, which would stay in use forever."""
    now = database_now(connection)
    insert_new(connection, calibrations, (asdict(each) for each in found if each.from_when <= now))
