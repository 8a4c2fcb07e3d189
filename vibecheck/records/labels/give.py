"""Adds and undoes labels: `feedback`, the derived columns of `predictions`, and the outbox, together."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, update

from vibecheck.records.db.lookup import labels_of, row_of
from vibecheck.records.db.tables import feedback, predictions
from vibecheck.records.db.transactions import Queries, writing
from vibecheck.records.labels import second_labels
from vibecheck.records.labels.effective_label import effective_label
from vibecheck.records.outbox import messages
from vibecheck.records.stats import summaries
from vibecheck.records.values import SECOND, Feedback, FeedbackUndone


class Labelling(Queries):
    """Adds and undoes labels."""

    def label(
        self,
        prediction_id: str,
        label: str,
        source: str,
        given_by: str | None,
        now: datetime,
        queue: str | None = None,
    ) -> Feedback:
        """Adds a label to a prediction and returns it with its number.

        Where somebody else has labelled it from the random queue, another label from there is a second one.
        If the prediction's last label is the same, from the same person, source and queue, that one is
        returned and nothing is stored. Raises UnknownPrediction, and ValueError for a label, source or queue
        that does not exist.
        """
        with writing(self._engine) as connection:
            row = row_of(connection, prediction_id, lock=True)
            blind = given_by if queue == "random" else None
            if blind and second_labels.is_second(connection, prediction_id, blind):
                source, queue = SECOND, None
            labels = labels_of(connection, [prediction_id])[prediction_id]
            given = Feedback(prediction_id, row["labels_given"] + 1, label, source, given_by, now, queue)
            if labels and replace(labels[-1], n=given.n, given_at=given.given_at) == given:
                return labels[-1]
            connection.execute(insert(feedback).values(asdict(given)))
            _update(connection, prediction_id, [*labels, given], given.n)
            messages.enqueue(connection, given)
            return given

    def undo_label(self, prediction_id: str, n: int, given_by: str | None, now: datetime) -> Feedback | None:
        """Deletes the label `n` that `given_by` gave; None where it is gone or somebody else's.

        Raises UnknownPrediction.
        """
        with writing(self._engine) as connection:
            row = row_of(connection, prediction_id, lock=True)
            labels = labels_of(connection, [prediction_id])[prediction_id]
            taken = next((each for each in labels if each.n == n and each.given_by == given_by), None)
            if taken is None:
                return None
            theirs = feedback.c.prediction_id == prediction_id, feedback.c.n == n
            connection.execute(delete(feedback).where(*theirs))
            labels.remove(taken)
            _update(connection, prediction_id, labels, row["labels_given"])
            messages.enqueue(connection, FeedbackUndone(prediction_id, n, now))
            return taken


def refresh(connection: Connection, prediction_id: str) -> None:
    """Updates a prediction whose labels were not added by `Labelling`."""
    row = row_of(connection, prediction_id, lock=True)
    labels = labels_of(connection, [prediction_id])[prediction_id]
    _update(connection, prediction_id, labels, max(row["labels_given"], labels[-1].n))


def derived(labels: Sequence[Feedback]) -> dict[str, Any]:
    """The columns of a prediction that are derived from its labels, except `labels_given`."""
    effective = effective_label(labels)
    return {
        "label": effective.label if effective else None,
        "judged": any(each.queue == "random" for each in labels),
        "judged_twice": any(each.source == SECOND for each in labels),
    }


def _update(connection: Connection, prediction_id: str, labels: Sequence[Feedback], given: int) -> None:
    """Updates what is derived from a prediction's labels; `given` is how many it ever had."""
    changes = derived(labels) | {"labels_given": given}
    connection.execute(update(predictions).where(predictions.c.id == prediction_id).values(changes))
    summaries.judge(connection, [prediction_id])
