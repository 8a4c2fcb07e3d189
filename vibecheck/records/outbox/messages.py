"""Messages for Comet, added to the outbox in the transaction that makes the change they report.

A row's `payload` is the value as plain JSON: the dataclass's fields by name, nested values as objects,
tuples as lists, times as ISO 8601 in UTC. For example, for feedback:

    {"prediction_id": "0f…", "n": 1, "label": "sad", "source": "audit", "given_by": null,
     "given_at": "2026-01-31T12:00:00+00:00", "queue": null}

So a row can be sent without reading anything else, whatever happened to the tables meanwhile.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select

from vibecheck.records.db.tables import notes, outbox
from vibecheck.records.db.transactions import SENDS, database_now
from vibecheck.records.synthetic import is_synthetic
from vibecheck.records.values import (
    Deletion,
    Feedback,
    FeedbackUndone,
    PictureKept,
    Play,
    Prediction,
    Promotion,
    SideDrawn,
)

Message = Prediction | Feedback | FeedbackUndone | Play | PictureKept | SideDrawn | Deletion | Promotion

# The subject of the note in which a sender keeps its state.
SENDER = "comet-sender"

# A sender notes its state every half minute. One that was not seen for so long is not expected back.
SENT_LATELY = timedelta(days=1)

# An update of a model's record: see `enqueue_model`.
MODEL = "model"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One row of the outbox.

    `kind` is "prediction", "feedback", "feedback_undone", "play", "picture_kept", "side", "deletion" or
    "promotion", each for a value of `values.py`, or "model" (see `enqueue_model`). No message about a
    prediction follows its "deletion". A promotion belongs to no prediction: its `prediction_id` is empty.
    `id` increases and is never reused. `created_at` is the time of the reported change.
    """

    id: int
    kind: str
    prediction_id: str
    payload: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, row: RowMapping) -> "Outgoing":
        """From a row of `outbox`; its columns about claims and attempts belong to `queue.py`."""
        return cls(row["id"], row["kind"], row["prediction_id"], row["payload"], row["created_at"])


def payload_of(value: Message) -> dict[str, Any]:
    """The value as plain JSON, as described above."""
    return {name: _plain(field) for name, field in asdict(value).items()}


def enqueue(connection: Connection, value: Message, hold: timedelta = timedelta(0)) -> None:
    """Adds the value to the outbox in the transaction of `connection`, if there is a sender.

    It is not sent before `hold` is over.
    """
    enqueue_all(connection, [value], hold)


def enqueue_all(connection: Connection, values: Iterable[Message], hold: timedelta = timedelta(0)) -> None:
    """Adds many values at once, as `enqueue` adds one."""
    rows = [row_of(value) for value in values]
    if rows and hold:
        due = database_now(connection) + hold
        rows = [row | {"next_attempt_at": due} for row in rows]
    if rows and _is_sent(connection, rows):
        connection.execute(insert(outbox), rows)


def _is_sent(connection: Connection, rows: Iterable[Mapping[str, Any]] = ()) -> bool:
    """Whether these rows have a sender: this process has an account, or another process sent recently.

    Deletions are sent as soon as there is an account again, if anything was ever sent. A synthetic history is
    not sent.
    """
    if is_synthetic(connection):
        return False
    if connection.get_execution_options().get(SENDS, True):
        return True
    query = select(notes.c.noted_at).where(notes.c.subject == SENDER)
    seen = connection.execute(query).scalar_one_or_none()
    if seen is None:
        return False
    lately = database_now(connection) - seen < SENT_LATELY
    return lately or (bool(rows) and all(row["kind"] == "deletion" for row in rows))


def row_of(value: Message) -> dict[str, Any]:
    """The row of `outbox` for a value."""
    match value:
        case Prediction():
            kind, prediction_id, created_at = "prediction", value.id, value.made_at
        case Feedback():
            kind, prediction_id, created_at = "feedback", value.prediction_id, value.given_at
        case Play():
            kind, prediction_id, created_at = "play", value.prediction_id, value.suggested_at
        case FeedbackUndone():
            kind, prediction_id, created_at = "feedback_undone", value.prediction_id, value.undone_at
        case PictureKept():
            kind, prediction_id, created_at = "picture_kept", value.prediction.id, value.kept_at
        case SideDrawn():
            kind, prediction_id, created_at = "side", value.prediction_id, value.drawn_at
        case Deletion():
            kind, prediction_id, created_at = "deletion", value.prediction_id, value.deleted_at
        case Promotion():
            kind, prediction_id, created_at = "promotion", "", value.made_at
    payload = payload_of(value)
    return {"kind": kind, "prediction_id": prediction_id, "payload": payload, "created_at": created_at}


def enqueue_model(connection: Connection, version: str) -> None:
    """Schedules an update of a model's record in Comet, once however often it changes before that.

    The payload is {"version": …}; the record is read from the registry when it is sent. A hash of the
    version stands in for the prediction's id, so that one sender at a time sends it.
    """
    if not _is_sent(connection):
        return
    subject = hashlib.sha256(version.encode()).hexdigest()[:32]
    same = outbox.c.kind == MODEL, outbox.c.prediction_id == subject, outbox.c.claimed_by.is_(None)
    if connection.execute(select(outbox.c.id).where(*same)).first() is None:
        row = {"kind": MODEL, "prediction_id": subject, "payload": {"version": version}}
        connection.execute(insert(outbox).values(**row, created_at=datetime.now(UTC)))


def count_pending(connection: Connection) -> int:
    """How many rows are in the outbox."""
    return connection.execute(select(func.count()).select_from(outbox)).scalar_one()


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case dict():
            return {name: _plain(field) for name, field in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case None | str() | bool() | int() | float():
            return value
        case _:
            return value.item()  # a NumPy number
