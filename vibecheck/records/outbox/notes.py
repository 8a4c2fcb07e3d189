"""Notes that processes leave for each other in the database: one per subject, the latest wins."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, insert, select

from vibecheck.records.db.tables import notes
from vibecheck.records.db.transactions import database_now, reading, writing


@dataclass(frozen=True, slots=True)
class Note:
    """What was noted, and its age in seconds by the database's clock."""

    content: dict[str, Any]
    age: float
    noted_at: datetime


class Notes:
    """All notes. Every method raises RecordsError where the database fails."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, subject: str, content: dict[str, Any]) -> None:
        """Replaces the note about a subject."""
        with writing(self._engine) as connection:
            connection.execute(delete(notes).where(notes.c.subject == subject))
            row = {"subject": subject, "content": content, "noted_at": database_now(connection)}
            connection.execute(insert(notes).values(row))

    def read(self, subject: str) -> Note | None:
        """The latest note about a subject, or None."""
        with reading(self._engine) as connection:
            row = connection.execute(select(notes).where(notes.c.subject == subject)).one_or_none()
            if row is None:
                return None
            age = (database_now(connection) - row.noted_at).total_seconds()
        return Note(row.content, age, row.noted_at)
