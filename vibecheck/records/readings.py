"""The readings of the champion and the shadow models, all of the same face crop.

A prediction records what was shown: one model's average over several frames. Its readings are of one crop,
by every model that is compared, so that one label judges all of them (see `models/shadow.py`).
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select

from vibecheck.records.db.batches import batches
from vibecheck.records.db.rows import grouped
from vibecheck.records.db.tables import predictions, readings
from vibecheck.records.db.transactions import Queries, insert_new, reading, writing
from vibecheck.records.outbox import queue
from vibecheck.records.values import LARGEST, check_id, check_probabilities
from vibecheck.text.version_name import check_version_name

# How long the report of a prediction to Comet waits for its readings, so that it includes them.
WAIT = timedelta(seconds=10)
# Predictions whose readings are added in one transaction.
BATCH = 200


@dataclass(frozen=True, slots=True)
class ShadowReading:
    """The reading of a prediction's face crop by the model `version`, whether or not its answer was shown.

    `probabilities` are seven, in the order of EMOTIONS; `took_ms` is how long the reading took.
    """

    prediction_id: str
    version: str
    probabilities: tuple[float, ...]
    took_ms: float

    def __post_init__(self) -> None:
        check_id(self.prediction_id)
        check_version_name(self.version)
        check_probabilities(self.probabilities)
        if not 0 <= self.took_ms < LARGEST:
            raise ValueError("took_ms must be a duration")

    def plain(self) -> dict[str, Any]:
        """As plain JSON, without the prediction."""
        shares = [round(share, 6) for share in self.probabilities]
        return {"version": self.version, "probabilities": shares, "took_ms": round(self.took_ms, 3)}


class Readings(Queries):
    """The readings of a database."""

    def add(self, made: Iterable[ShadowReading]) -> None:
        """Stores readings. Known ones stay as they are; those of deleted predictions are dropped."""
        by_prediction = grouped(made)
        for some in batches(sorted(by_prediction), BATCH):
            with writing(self._engine) as connection:
                query = select(predictions.c.id).where(predictions.c.id.in_(some)).order_by(predictions.c.id)
                # Locked, so that none is deleted before its readings are added.
                here = connection.execute(query.with_for_update()).scalars().all()
                made_here = (asdict(each) for name in here for each in by_prediction[name])
                insert_new(connection, readings, made_here)
                queue.send_now(connection, here)

    def of(self, prediction_id: str) -> tuple[ShadowReading, ...]:
        """The readings of a prediction, by version; none if the prediction does not exist."""
        with reading(self._engine) as connection:
            return tuple(by_id(connection, [prediction_id])[prediction_id])


def by_id(
    connection: Connection, prediction_ids: Iterable[str], versions: Collection[str] | None = None
) -> dict[str, list[ShadowReading]]:
    """The readings of predictions by their ids, each ordered by version: all, or those of some versions."""
    found: list[ShadowReading] = []
    for some in batches(prediction_ids):
        query = select(readings).where(readings.c.prediction_id.in_(some))
        if versions is not None:
            query = query.where(readings.c.version.in_(versions))
        for row in connection.execute(query.order_by(readings.c.version)).mappings():
            found.append(ShadowReading(**{**row, "probabilities": tuple(row["probabilities"])}))
    return grouped(found)
