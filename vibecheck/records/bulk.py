"""Writes many records at once, like `Store.add`, `Store.label` and `Store.played`, which write one.

For synthetic histories only: nothing is added to the outbox.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from vibecheck.records.db.rows import grouped, prediction_row
from vibecheck.records.db.tables import feedback, model_versions, plays, predictions
from vibecheck.records.db.transactions import insert_new
from vibecheck.records.labels.give import derived
from vibecheck.records.values import Feedback, ModelVersion, Play, Prediction


@dataclass(frozen=True, slots=True)
class Records:
    """Predictions with all their labels and plays."""

    predictions: Sequence[Prediction]
    feedback: Sequence[Feedback]
    plays: Sequence[Play]


def write_versions(connection: Connection, versions: Sequence[ModelVersion]) -> None:
    """Writes model versions that do not exist yet."""
    insert_new(connection, model_versions, map(asdict, versions))


def write(connection: Connection, records: Records) -> None:
    """Writes records that do not exist yet, of model versions that do."""
    given = grouped(records.feedback)
    checks = [
        prediction_row(each) | derived(given[each.id]) | {"labels_given": len(given[each.id])}
        for each in records.predictions
    ]
    insert_new(connection, predictions, checks)
    insert_new(connection, feedback, map(asdict, records.feedback))
    insert_new(connection, plays, map(asdict, records.plays))
