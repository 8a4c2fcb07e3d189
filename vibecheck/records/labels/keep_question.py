"""How often visitors who corrected a mood were asked to keep their face crop, and how often they agreed."""

from dataclasses import asdict, dataclass, replace
from typing import Literal

from vibecheck.records.outbox.notes import Note, Notes

SUBJECT = "keep_question"


@dataclass(frozen=True, slots=True)
class KeepAnswers:
    """Two counts over all time; they do not identify anybody."""

    asked: int = 0
    agreed: int = 0


def count(notes: Notes, what: Literal["asked", "agreed"]) -> None:
    """Counts that the question was shown, or answered with yes. Raises RecordsError."""
    notes.change(SUBJECT, lambda note: asdict(_of(note)) | {what: getattr(_of(note), what) + 1})


def keep_answers(notes: Notes) -> KeepAnswers:
    """The counts so far. Raises RecordsError."""
    found = _of(notes.read(SUBJECT))
    # A question may go uncounted while the database is unavailable; nobody agreed without being asked.
    return replace(found, asked=max(found.asked, found.agreed))


def _of(note: Note | None) -> KeepAnswers:
    return KeepAnswers(**note.content) if note else KeepAnswers()
