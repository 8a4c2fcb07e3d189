"""Notes that processes leave in the database: one per subject, the latest wins."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update

from vibecheck.records.db.tables import notes
from vibecheck.records.db.transactions import Queries, database_now, insert_if_new, reading, writing


@dataclass(frozen=True, slots=True)
class Note:
    """A note, and its age in seconds by the database's clock."""

    content: dict[str, Any]
    age: float
    noted_at: datetime


class Notes(Queries):
    """All notes."""

    def write(self, subject: str, content: dict[str, Any]) -> None:
        """Replaces the note about a subject."""
        self.change(subject, lambda note: content)

    def change(self, subject: str, change: Callable[[Note | None], dict[str, Any] | None]) -> bool:
        """Replaces the note about a subject by the result of `change`; returns whether it did.

        If several processes do so at once, each sees the result of the one before. None changes nothing.
        """
        with writing(self._engine) as connection:
            query = select(notes).where(notes.c.subject == subject).with_for_update()
            row = connection.execute(query).one_or_none()
            now = database_now(connection)
            content = change(None if row is None else _note(row, now))
            if content is None:
                return False
            values = {"content": content, "noted_at": now}
            if row is None:  # unless another process has written it just now
                return insert_if_new(connection, notes, {"subject": subject} | values)
            connection.execute(update(notes).where(notes.c.subject == subject).values(values))
            return True

    def subjects(self, prefix: str) -> list[str]:
        """The subjects of notes that begin with this prefix."""
        query = select(notes.c.subject).where(notes.c.subject.startswith(prefix, autoescape=True))
        with reading(self._engine) as connection:
            return list(connection.execute(query.order_by(notes.c.subject)).scalars())

    def remove(self, subject: str) -> None:
        """Removes the note about a subject, if there is one."""
        with writing(self._engine) as connection:
            connection.execute(delete(notes).where(notes.c.subject == subject))

    def read(self, subject: str) -> Note | None:
        """The latest note about a subject, or None."""
        with reading(self._engine) as connection:
            row = connection.execute(select(notes).where(notes.c.subject == subject)).one_or_none()
            return None if row is None else _note(row, database_now(connection))


def _note(row: Row, now: datetime) -> Note:
    return Note(row.content, (now - row.noted_at).total_seconds(), row.noted_at)
