"""Pages of predictions with their labels: filtered, newest first, or the whole history.

No query reads more than it shows: each filter has an index, and a page begins where the previous one
ended (keyset pagination).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, and_, literal_column, or_, select

from vibecheck.records.db.lookup import labels_of
from vibecheck.records.db.rows import prediction_of
from vibecheck.records.db.tables import UNSURE, feedback, predictions
from vibecheck.records.db.transactions import reading
from vibecheck.records.labels.effective_label import OVERRULES
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.values import CANT_TELL, SECOND, Cursor

# Predictions in a page of the history.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Filters:
    """Which predictions to show: those that meet all the given conditions.

    `unsure`: less than half confident. `disagreed`: labelled with another mood than the model's.
    `labeller`: has a label, or a second label, of this labeller. `since` and `before` are moments with a time
    zone; `since` is included, `before` is not.
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
    query = query.order_by(made_at.desc(), identity.desc()).limit(limit)
    return with_labels(connection, connection.execute(query).mappings().all())


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    columns = predictions.c
    theirs = select(feedback.c.prediction_id).where(feedback.c.given_by == filters.labeller)
    # Literals, here and in `queues.py`: SQLite does not match parameters to a partial index.
    first, second = (feedback.c.source == literal_column(f"'{source}'") for source in (OVERRULES, SECOND))
    asked = [
        (filters.visitor is not None, columns.visitor == filters.visitor),
        (filters.unlabelled, columns.label.is_(None)),
        (filters.unsure, columns.confidence < literal_column(str(UNSURE))),
        (filters.disagreed, and_(columns.label != columns.mood, columns.label != CANT_TELL)),
        (filters.with_picture, columns.picture_kept),
        (filters.mood is not None, columns.mood == filters.mood),
        (filters.model_version is not None, columns.model_version == filters.model_version),
        (filters.labeller is not None, columns.id.in_(theirs.where(first).union(theirs.where(second)))),
    ]
    conditions = [condition for wanted, condition in asked if wanted]
    if filters.since is not None:
        conditions.append(columns.made_at >= filters.since)
    if filters.before is not None:
        conditions.append(columns.made_at < filters.before)
    return conditions


def history(engine: Engine, since: datetime | None = None) -> Iterator[list[LabelledPrediction]]:
    """All predictions made at `since` or later, oldest first, in pages; a transaction for each page."""
    made_at, identity = predictions.c.made_at, predictions.c.id
    query = select(predictions).order_by(made_at, identity).limit(PAGE)
    if since is not None:
        query = query.where(made_at >= since)
    rest = query
    while True:
        with reading(engine) as connection:
            found = with_labels(connection, connection.execute(rest).mappings().all())
        yield found
        if len(found) < PAGE:
            return
        moment, last = found[-1].cursor
        rest = query.where(made_at >= moment, or_(made_at > moment, identity > last))


def with_labels(connection: Connection, rows: Sequence[RowMapping]) -> list[LabelledPrediction]:
    """The predictions in these rows, each with its labels."""
    labels = labels_of(connection, [row["id"] for row in rows])
    return [LabelledPrediction(prediction_of(row), tuple(labels[row["id"]]), row["side"]) for row in rows]
