"""Adds and undoes labels: `feedback`, the derived columns of `predictions`, and the outbox, together."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, delete, exists, insert, select, update

from vibecheck.records.db.lookup import locked
from vibecheck.records.db.rows import feedback_of
from vibecheck.records.db.tables import feedback, predictions
from vibecheck.records.labels import second_labels
from vibecheck.records.labels.effective_label import effective_label
from vibecheck.records.outbox import messages
from vibecheck.records.stats import summaries
from vibecheck.records.values import SECOND, Feedback, FeedbackUndone


def give(
    connection: Connection,
    prediction_id: str,
    label: str,
    source: str,
    given_by: str | None,
    queue: str | None,
    now: datetime,
) -> Feedback:
    """Adds a label to a prediction and returns it with its number.

    Where somebody else has labelled it from the random queue, another label from there is a second one. If
    the prediction's last label is the same, from the same person, source and queue, that one is returned and
    nothing is stored. Raises UnknownPrediction.
    """
    row = locked(connection, prediction_id)
    if queue == "random" and given_by and second_labels.is_second(connection, prediction_id, given_by):
        source, queue = SECOND, None
    last = _last(connection, prediction_id)
    told = (label, source, given_by, queue)
    if last and (last.label, last.source, last.given_by, last.queue) == told:
        return last
    given = Feedback(prediction_id, row["labels_given"] + 1, label, source, given_by, now, queue)
    connection.execute(insert(feedback).values(asdict(given)))
    note(connection, prediction_id, labels_given=given.n)
    messages.enqueue(connection, given)
    return given


def take_back(
    connection: Connection, prediction_id: str, n: int, given_by: str | None, now: datetime
) -> Feedback | None:
    """Deletes the label `n` of a prediction and returns it.

    Returns None and changes nothing if that label is gone already or somebody else's. Raises
    UnknownPrediction.
    """
    locked(connection, prediction_id)
    its_own = (feedback.c.prediction_id == prediction_id) & (feedback.c.n == n)
    row = connection.execute(select(feedback).where(its_own)).mappings().one_or_none()
    if row is None or row["given_by"] != given_by:
        return None
    connection.execute(delete(feedback).where(its_own))
    note(connection, prediction_id)
    messages.enqueue(connection, FeedbackUndone(prediction_id, n, now))
    return feedback_of(row)


def refresh(connection: Connection, prediction_id: str) -> None:
    """Updates a prediction whose labels were not added by `give`."""
    last = _last(connection, prediction_id)
    if last is not None:
        given = locked(connection, prediction_id)["labels_given"]
        note(connection, prediction_id, labels_given=max(given, last.n))


def _last(connection: Connection, prediction_id: str) -> Feedback | None:
    query = (
        select(feedback)
        .where(feedback.c.prediction_id == prediction_id)
        .order_by(feedback.c.n.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return feedback_of(row) if row else None


def note(connection: Connection, prediction_id: str, **changes: int) -> None:
    """Updates the columns of a prediction that are derived from its labels, and those in `changes`."""
    given = connection.execute(select(feedback).where(feedback.c.prediction_id == prediction_id)).mappings()
    label = effective_label(map(feedback_of, given))
    mine = feedback.c.prediction_id == prediction_id
    judged = exists().where(mine, feedback.c.queue == "random")
    judged_twice = exists().where(mine, feedback.c.source == SECOND)
    connection.execute(
        update(predictions)
        .where(predictions.c.id == prediction_id)
        .values(label=label.label if label else None, judged=judged, judged_twice=judged_twice, **changes)
    )
    summaries.judge(connection, [prediction_id])
