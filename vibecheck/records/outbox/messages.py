"""The outbox: what is still to be sent to Comet, written in the transaction that it tells about.

A row's `payload` is the value as plain JSON: the fields of the dataclass under their names, a value
inside a value as an object, tuples as lists, times as ISO 8601 in UTC. For example, for feedback:

    {"prediction_id": "0f…", "n": 1, "label": "sad", "source": "audit", "given_by": null,
     "given_at": "2026-01-31T12:00:00+00:00", "queue": null}

So a row can be sent without reading anything else, whatever became of the tables meanwhile.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from vibecheck.records.db.tables import outbox
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

Told = Prediction | Feedback | FeedbackUndone | Play | PictureKept | SideDrawn | Deletion | Promotion

# News of a model: see `tell_model`.
MODEL = "model"

# What `Outgoing` holds; the rest of a row is the business of `queue.py`.
COLUMNS = (outbox.c.id, outbox.c.kind, outbox.c.prediction_id, outbox.c.payload, outbox.c.created_at)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One row of the outbox.

    `kind` is "prediction", "feedback", "feedback_undone", "play", "picture_kept", "side",
    "deletion" or "promotion": a value of `values.py` each. After a "deletion" nothing more is told about its
    prediction.

    A promotion belongs to no prediction: its `prediction_id` is empty. Of kind "model" is what
    `tell_model` adds.
    `id` grows with time and is never given out twice. `created_at` is the time of what is told.
    """

    id: int
    kind: str
    prediction_id: str
    payload: dict[str, Any]
    created_at: datetime


def payload_of(value: Told) -> dict[str, Any]:
    """The value as plain JSON, as described above."""
    return {name: _plain(field) for name, field in asdict(value).items()}


def enqueue(connection: Connection, value: Told) -> None:
    """Adds the value to the outbox, in the transaction of `connection`; of a synthetic history, nothing."""
    enqueue_all(connection, [value])


def enqueue_all(connection: Connection, values: Iterable[Told]) -> None:
    """Adds many values at once, as `enqueue` adds one."""
    rows = [_row(value) for value in values]
    if rows and not is_synthetic(connection):
        connection.execute(insert(outbox), rows)


def _row(value: Told) -> dict[str, Any]:
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


def tell_model(connection: Connection, version: str) -> None:
    """Has what Comet knows of a model brought up to date: once, however much is changed meanwhile.

    The payload is {"version": …}; what is sent is read from the registry then. In the place of a
    prediction's id is a number of the version's own, so that one sender has it in hand at a time.
    """
    if is_synthetic(connection):
        return
    subject = hashlib.sha256(version.encode()).hexdigest()[:32]
    same = outbox.c.kind == MODEL, outbox.c.prediction_id == subject, outbox.c.claimed_by.is_(None)
    if connection.execute(select(outbox.c.id).where(*same)).first() is None:
        row = {"kind": MODEL, "prediction_id": subject, "payload": {"version": version}}
        connection.execute(insert(outbox).values(**row, created_at=datetime.now(UTC)))


def pending(connection: Connection, limit: int) -> list[Outgoing]:
    """The first `limit` rows that are still to be sent, oldest first."""
    rows = connection.execute(select(*COLUMNS).order_by(outbox.c.id).limit(limit)).mappings()
    return [Outgoing(**row) for row in rows]


def count_pending(connection: Connection) -> int:
    """How many rows are still to be sent."""
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
            return value.item()  # a number of NumPy
