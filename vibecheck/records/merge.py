"""Merges restored predictions into the tables. Idempotent.

Nothing that exists is changed, nothing that was deleted here comes back, and nothing is added to the
outbox, since it came from Comet.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from vibecheck.records.db.batches import batches, found_in
from vibecheck.records.db.lookup import parts_of
from vibecheck.records.db.rows import prediction_row
from vibecheck.records.db.tables import (
    feedback,
    forgotten,
    model_versions,
    outbox,
    plays,
    predictions,
    readings,
)
from vibecheck.records.db.transactions import Queries, insert_if_new, insert_new, reading, writing
from vibecheck.records.labels import give
from vibecheck.records.labels.training_sets import set_sides
from vibecheck.records.outbox import queue
from vibecheck.records.readings import ShadowReading
from vibecheck.records.stats import summaries
from vibecheck.records.synthetic import refuse_real
from vibecheck.records.values import Feedback, Play, Prediction

# Predictions merged in one transaction, which takes some 10 ms; others wait meanwhile.
BATCH = 200


@dataclass(frozen=True, slots=True)
class RestoredPrediction:
    """A prediction read back from Comet: its model's origin, its labels, plays, side and readings."""

    prediction: Prediction
    origin: str
    feedback: tuple[Feedback, ...]
    plays: tuple[Play, ...]
    side: str | None = None
    readings: tuple[ShadowReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Merged:
    """How many predictions and labels were new here."""

    predictions: int
    labels: int


class Merging(Queries):
    """Merges what was read back from Comet."""

    def merge(self, restored: Sequence[RestoredPrediction]) -> Merged:
        """Adds what is new. Where it raises RecordsError, what was merged before that stays."""
        made = []
        for some in batches(restored, BATCH):
            with writing(self._engine) as connection:
                made.append(_merge(connection, some))
        return Merged(sum(each.predictions for each in made), sum(each.labels for each in made))

    def forgotten_among(self, ids: Collection[str]) -> set[str]:
        """The given predictions that were deleted here and in Comet."""
        with reading(self._engine) as connection:
            return found_in(connection, forgotten.c.prediction_id, ids)


def forget(connection: Connection, prediction_id: str, now: datetime) -> None:
    """Records that a prediction was deleted in Comet.

    The note stays: if Comet has the prediction nevertheless, it is deleted again and never restored.
    """
    insert_if_new(connection, forgotten, {"prediction_id": prediction_id, "forgotten_at": now})


def _merge(connection: Connection, batch: Sequence[RestoredPrediction]) -> Merged:
    refuse_real(connection)
    ids = [each.prediction.id for each in batch]
    # Locked, so that none is deleted before its labels are added; on SQLite `writing` locks everything.
    here = select(predictions.c.id).where(predictions.c.id.in_(ids)).order_by(predictions.c.id)
    before = set(connection.execute(here.with_for_update()).scalars())
    # After that: a deletion that held one of these locks has been committed by now.
    gone = queue.predictions_with(connection, "deletion", ids)
    gone |= found_in(connection, forgotten.c.prediction_id, ids)
    wanted = {each.prediction.id: each for each in batch if each.prediction.id not in gone}
    if not wanted:
        return Merged(0, 0)
    new = [
        each
        for each in wanted.values()
        if each.prediction.id not in before  # nor stored by another restore just now
        and insert_if_new(connection, predictions, prediction_row(each.prediction))
    ]
    _models(connection, new)
    undoing = outbox.c.kind == "feedback_undone", outbox.c.prediction_id.in_(wanted)
    rows = connection.execute(select(outbox.c.prediction_id, outbox.c.payload).where(*undoing))
    undone = {(row.prediction_id, row.payload["n"]) for row in rows}  # and still to be deleted in Comet
    labels = {
        key: tuple(label for label in each.feedback if (key, label.n) not in undone)
        for key, each in wanted.items()
    }
    given = _parts(connection, feedback, Feedback, labels)
    played = _parts(connection, plays, Play, {key: each.plays for key, each in wanted.items()})
    set_sides(connection, {key: each.side for key, each in wanted.items() if each.side is not None})
    made = (asdict(reading) for each in wanted.values() for reading in each.readings)
    insert_new(connection, readings, made)
    for each in new:
        summaries.count(connection, each.prediction.id)
    for row in played:
        if row["prediction_id"] in before:
            summaries.count_play(connection, row["prediction_id"], row["n"], row["again"])
    for prediction_id in dict.fromkeys(row["prediction_id"] for row in given):
        give.refresh(connection, prediction_id)
    return Merged(len(new), len(given))


def _models(connection: Connection, new: Iterable[RestoredPrediction]) -> None:
    """Adds the models of new predictions, each with the time of its first prediction."""
    first: dict[str, RestoredPrediction] = {}
    for each in sorted(new, key=lambda each: each.prediction.made_at):
        first.setdefault(each.prediction.model_version, each)
    for version, each in first.items():
        row = {"version": version, "origin": each.origin, "first_used_at": each.prediction.made_at}
        insert_if_new(connection, model_versions, row)
        later = model_versions.c.version == version, model_versions.c.first_used_at > each.prediction.made_at
        connection.execute(update(model_versions).where(*later).values(first_used_at=each.prediction.made_at))


def _parts(
    connection: Connection, table: Table, value_of: Callable[..., Feedback | Play], found: Mapping[str, tuple]
) -> list[dict[str, Any]]:
    """Adds new labels or plays; returns their rows.

    Two are the same if they agree in everything but their number and the name of a playlist. Different ones
    with the same number are both kept, the later one under the next free number.
    """
    if not any(found.values()):
        return []
    here = parts_of(connection, table, found, value_of)
    rows = []
    for prediction_id, values in found.items():
        known = {value.n: _content(value) for value in here[prediction_id]}
        for value in values:
            if _content(value) in known.values():
                continue
            n = value.n if value.n not in known else max(known) + 1
            known[n] = _content(value)
            rows.append(asdict(value) | {"n": n})
    if rows:
        connection.execute(insert(table), rows)
    return rows


def _content(value: Feedback | Play) -> tuple:
    return tuple(item for name, item in asdict(value).items() if name not in ("n", "playlist_name"))
