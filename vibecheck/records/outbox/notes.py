"""Notes that processes leave for each other in the database: one a subject, the last word holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from vibecheck.records.db.tables import notes
from vibecheck.records.outbox.queue import moment


@dataclass(frozen=True, slots=True)
class Note:
    """What was noted, and how many seconds ago by the clock of the database."""

    content: dict[str, Any]
    age: float
    noted_at: datetime


def write_note(connection: Connection, subject: str, content: dict[str, Any]) -> None:
    """Replaces what was noted about a subject."""
    connection.execute(delete(notes).where(notes.c.subject == subject))
    connection.execute(insert(notes).values(subject=subject, content=content, noted_at=moment(connection)))


def read_note(connection: Connection, subject: str) -> Note | None:
    """What was last noted about a subject, or None."""
    row = connection.execute(select(notes).where(notes.c.subject == subject)).one_or_none()
    if row is None:
        return None
    age = (moment(connection) - row.noted_at).total_seconds()
    return Note(row.content, age, row.noted_at)
