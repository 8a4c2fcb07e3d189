"""Messages for Comet, added to the outbox in the transaction that makes the change they report.

A row's `payload` is the value as plain JSON: the dataclass's fields by name, nested values as objects,
tuples as lists, times as ISO 8601 in UTC. For example, for feedback:

    {"prediction_id": "0f…", "n": 1, "label": "sad", "source": "audit", "given_by": null,
     "given_at": "2026-01-31T12:00:00+00:00", "queue": null}

So a row can be sent without reading anything else, whatever happened to the tables meanwhile.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from vibecheck.records.db.tables import notes, outbox
from vibecheck.records.db.transactions import SENDS, database_now
from vibecheck.records.outbox import queue
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

# The kind of each message, and the field with its time.
KINDS: dict[type[Message], tuple[str, str]] = {
    Prediction: ("prediction", "made_at"),
    Feedback: ("feedback", "given_at"),
    FeedbackUndone: ("feedback_undone", "undone_at"),
    Play: ("play", "suggested_at"),
    PictureKept: ("picture_kept", "kept_at"),
    SideDrawn: ("side", "drawn_at"),
    Deletion: ("deletion", "deleted_at"),
    Promotion: ("promotion", "made_at"),
}

# The subject of the note in which a sender keeps its state.
SENDER = "comet-sender"

# A sender notes its state every half minute. One that was not seen for so long is not expected back.
SENT_LATELY = timedelta(days=1)

# An update of a model's record: see `enqueue_model`.
MODEL = "model"


def payload_of(value: Message) -> dict[str, Any]:
    """The value as plain JSON, as described above."""
    return json.loads(json.dumps(asdict(value), default=_plain))


def enqueue(connection: Connection, *values: Message, hold: timedelta = timedelta(0)) -> None:
    """Adds the values to the outbox in the transaction of `connection`, if there is a sender.

    They are not sent before `hold` is over.
    """
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
    (kind, time), payload = KINDS[type(value)], payload_of(value)
    about = payload.get("id") or payload.get("prediction_id", "")  # a promotion is about none
    return {"kind": kind, "prediction_id": about, "payload": payload, "created_at": getattr(value, time)}


def enqueue_model(connection: Connection, version: str) -> None:
    """Schedules an update of a model's record in Comet, once however often it changes before that.

    The payload is {"version": …}; the record is read from the registry when it is sent. A hash of the
    version stands in for the prediction's id, so that one sender at a time sends it.
    """
    if _is_sent(connection):
        subject = hashlib.sha256(version.encode()).hexdigest()[:32]
        queue.schedule(connection, MODEL, subject, {"version": version})


def _plain(value: Any) -> Any:
    """What JSON does not know: a time, or a NumPy number."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value.item()
