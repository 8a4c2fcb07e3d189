"""The rows of the calibrations, within a transaction: the latest of a version is in use."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, insert, select

from vibecheck.records.db.rows import calibration_of
from vibecheck.records.db.tables import calibrations
from vibecheck.records.db.transactions import database_now, insert_if_new
from vibecheck.records.learned_calibration import LearnedCalibration


def in_use(connection: Connection, version: str) -> LearnedCalibration | None:
    """The calibration in use for a version; None for the one it shipped with."""
    row = connection.execute(_newest_first(version).limit(1)).mappings().one_or_none()
    return None if row is None else calibration_of(row)


def history(connection: Connection, version: str | None = None) -> list[LearnedCalibration]:
    """All calibrations of a version, or of all, newest first."""
    return [calibration_of(row) for row in connection.execute(_newest_first(version)).mappings()]


def add(connection: Connection, new: LearnedCalibration) -> None:
    """Puts a calibration into use."""
    connection.execute(insert(calibrations).values(asdict(new)))


def merge(connection: Connection, found: Sequence[LearnedCalibration]) -> None:
    """Adds missing calibrations, except any from the future, which would stay in use forever."""
    now = database_now(connection)
    for each in found:
        if each.from_when <= now:
            insert_if_new(connection, calibrations, asdict(each))


def _newest_first(version: str | None) -> Select[Any]:
    query = select(calibrations).order_by(calibrations.c.from_when.desc(), calibrations.c.id)
    return query if version is None else query.where(calibrations.c.version == version)
