"""The permanent train/held-out assignment of each prediction."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from vibecheck.records.db import lookup
from vibecheck.records.db.batches import found_in
from vibecheck.records.db.tables import predictions, trained_on
from vibecheck.records.db.transactions import Queries, reading, writing
from vibecheck.records.labels.labelled import TRAIN, LabelledPrediction
from vibecheck.records.labels.pagination import with_labels
from vibecheck.records.outbox import messages
from vibecheck.records.values import SideDrawn


class TrainingSets(Queries):
    """Reads and creates the assignments."""

    def labelled(self) -> list[LabelledPrediction]:
        """All labelled predictions whose picture was kept, oldest first.

        Those that a model was trained on are on the training side, assigned or not.
        """
        these = predictions.c.label.is_not(None), predictions.c.picture_kept
        query = select(predictions).where(*these).order_by(predictions.c.made_at, predictions.c.id)
        with reading(self._engine) as connection:
            found = with_labels(connection, connection.execute(query).mappings().all())
            learned = _learned(connection, [each.prediction.id for each in found])
        return [
            replace(each, side=TRAIN) if each.prediction.id in learned else each
            for each in found
            if each.labels  # on Postgres, none if its label was undone between the two queries
        ]

    def sides(self, prediction_ids: Collection[str]) -> dict[str, str]:
        """The assigned sides, by id; TRAIN for all predictions that trained a model, even deleted ones."""
        with reading(self._engine) as connection:
            learned = dict.fromkeys(_learned(connection, prediction_ids), TRAIN)
            return learned | lookup.sides_of(connection, prediction_ids)

    def assign(self, wanted: Mapping[str, str], now: datetime) -> dict[str, str]:
        """Assigns sides to predictions by id, in one transaction; returns the sides that they have now.

        An assignment is permanent: one that is there already, perhaps from another process just now, stays.
        """
        with writing(self._engine) as connection:
            before = lookup.sides_of(connection, wanted)
            sides = dict(wanted) | dict.fromkeys(_learned(connection, wanted), TRAIN)
            set_sides(connection, sides)
            drawn = lookup.sides_of(connection, wanted)
            new = (SideDrawn(each, side, now) for each, side in drawn.items() if each not in before)
            messages.enqueue(connection, *new)
        return sides | drawn


def set_sides(connection: Connection, sides: Mapping[str, str]) -> None:
    """Assigns sides to predictions by id, except those that have one."""
    mine = predictions.c.id == bindparam("the_id"), predictions.c.side.is_(None)
    assignment = update(predictions).where(*mine).values(side=bindparam("the_side"))
    if rows := [{"the_id": each, "the_side": side} for each, side in sides.items()]:
        connection.execute(assignment, rows)


def _learned(connection: Connection, prediction_ids: Collection[str]) -> set[str]:
    return found_in(connection, trained_on.c.prediction_id, prediction_ids)
