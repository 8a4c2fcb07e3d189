"""How often visitors who corrected a mood were asked to keep their face crop, and how often they agreed."""

from dataclasses import asdict, dataclass, replace

from vibecheck.records.outbox.notes import Note, Notes

SUBJECT = "keep_question"


@dataclass(frozen=True, slots=True)
class KeepAnswers:
    """Two counts over all time; they do not identify anybody."""

    asked: int = 0
    agreed: int = 0


def count_asked(notes: Notes) -> None:
    """Counts that the question was shown. Raises RecordsError."""
    notes.change(SUBJECT, lambda note: asdict(replace(_of(note), asked=_of(note).asked + 1)))


def count_agreed(notes: Notes) -> None:
    """Counts that it was answered with yes. Raises RecordsError."""
    notes.change(SUBJECT, lambda note: asdict(replace(_of(note), agreed=_of(note).agreed + 1)))


def keep_answers(notes: Notes) -> KeepAnswers:
    """The counts so far. Raises RecordsError."""
    found = _of(notes.read(SUBJECT))
    # A question may go uncounted while the database is unavailable; nobody agreed without being asked.
    return replace(found, asked=max(found.asked, found.agreed))


def _of(note: Note | None) -> KeepAnswers:
    return KeepAnswers(**note.content) if note else KeepAnswers()
