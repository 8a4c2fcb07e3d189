"""Pages of predictions, newest first, each with its labels.

No query reads more than it shows: each filter has an index, and a page begins where the previous one
ended (keyset pagination).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, literal_column, or_, select

from vibecheck.records.db.lookup import labels_of
from vibecheck.records.db.rows import prediction_of
from vibecheck.records.db.tables import UNSURE, feedback, predictions
from vibecheck.records.labels.effective_label import OVERRULES
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.values import CANT_TELL, Cursor


@dataclass(frozen=True, slots=True)
class Filters:
    """Which predictions to show: those that meet all the given conditions.

    `unsure`: less than half confident. `disagreed`: labelled with another mood than the model's.
    `labeller`: has a label of this labeller. `since` and `before` are moments with a time zone; `since` is
    included, `before` is not.
    """

    visitor: str | None = None
    unlabelled: bool = False
    unsure: bool = False
    disagreed: bool = False
    with_picture: bool = False
    mood: str | None = None
    model_version: str | None = None
    labeller: str | None = None
    since: datetime | None = None
    before: datetime | None = None


def page(
    connection: Connection, filters: Filters, after: Cursor | None, limit: int
) -> list[LabelledPrediction]:
    """The first `limit` predictions that pass the filters, newest first, after a cursor."""
    made_at, identity = predictions.c.made_at, predictions.c.id
    query = select(predictions).where(*_conditions(filters))
    if after is not None:
        moment, prediction_id = after
        # The first condition lets the index on made_at do the work.
        query = query.where(made_at <= moment, or_(made_at < moment, identity < prediction_id))
    return with_labels(connection, query.order_by(made_at.desc(), identity.desc()).limit(limit))


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    columns = predictions.c
    asked = [
        (filters.visitor is not None, columns.visitor == filters.visitor),
        (filters.unlabelled, columns.label.is_(None)),
        # A literal, here and in `queues.py`: SQLite does not match a parameter to a partial index.
        (filters.unsure, columns.confidence < literal_column(str(UNSURE))),
        (filters.disagreed, and_(columns.label != columns.mood, columns.label != CANT_TELL)),
        (filters.with_picture, columns.picture_kept),
        (filters.mood is not None, columns.mood == filters.mood),
        (filters.model_version is not None, columns.model_version == filters.model_version),
        (filters.labeller is not None, columns.id.in_(_labelled_by(filters.labeller))),
    ]
    conditions = [condition for wanted, condition in asked if wanted]
    if filters.since is not None:
        conditions.append(columns.made_at >= filters.since)
    if filters.before is not None:
        conditions.append(columns.made_at < filters.before)
    return conditions


def _labelled_by(labeller: str | None) -> Select:
    # A literal, as above.
    mine = feedback.c.source == literal_column(f"'{OVERRULES}'"), feedback.c.given_by == labeller
    return select(feedback.c.prediction_id).where(*mine)


def with_labels(connection: Connection, query: Select) -> list[LabelledPrediction]:
    """The predictions that a query finds, each with its labels, in two queries."""
    found = [prediction_of(row) for row in connection.execute(query).mappings()]
    given = labels_of(connection, [each.id for each in found])
    return [LabelledPrediction(prediction, tuple(given[prediction.id])) for prediction in found]
