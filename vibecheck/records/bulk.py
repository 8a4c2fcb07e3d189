"""Writes a whole history at once, as `Store.add`, `Store.label` and `Store.played` would one by one.

For synthetic history only: nothing is put into the outbox.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, insert

from vibecheck.records.rows import prediction_row
from vibecheck.records.tables import feedback, model_versions, plays, predictions
from vibecheck.records.values import Feedback, ModelVersion, Play, Prediction


@dataclass(frozen=True, slots=True)
class Records:
    """Predictions with all labels and playlists that belong to them."""

    predictions: Sequence[Prediction]
    feedback: Sequence[Feedback]
    plays: Sequence[Play]


def write_versions(connection: Connection, versions: Sequence[ModelVersion]) -> None:
    """Writes model versions, of which none is there yet."""
    connection.execute(insert(model_versions), [asdict(version) for version in versions])


def write(connection: Connection, records: Records) -> None:
    """Writes records of which none is there yet; their model versions are."""
    rows = (
        (predictions, [prediction_row(prediction) for prediction in records.predictions]),
        (feedback, [asdict(label) for label in records.feedback]),
        (plays, [asdict(play) for play in records.plays]),
    )
    for table, those in rows:
        if those:
            connection.execute(insert(table), those)
