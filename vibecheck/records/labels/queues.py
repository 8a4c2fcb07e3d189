"""What the corrections page reads: pages of predictions with their labels, and the two labelling queues.

No query reads more than it shows: each filter has an index, and a page begins where the previous one
ended (keyset pagination).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)

from vibecheck.emotions import NAMES
from vibecheck.records.db.rows import prediction_of
from vibecheck.records.db.tables import UNSURE, feedback, predictions
from vibecheck.records.labels.labelled import LabelledPrediction, labels_by_prediction
from vibecheck.records.values import CANT_TELL

# Labels of a mood are counted up to here: beyond it the mood is not rare.
MANY = 1000


# The time and the id of a prediction, which order the pages: newest first, ids break ties.
Cursor = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which predictions to show: those that meet all the given conditions.

    `unsure`: less than half confident. `disagreed`: labelled with another mood than the model's.
    `since` and `before` are moments with a time zone; `since` is included, `before` is not.
    """

    visitor: str | None = None
    unlabelled: bool = False
    unsure: bool = False
    disagreed: bool = False
    with_picture: bool = False
    mood: str | None = None
    model_version: str | None = None
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueueLengths:
    """How many pictures wait in each of the two queues."""

    useful: int
    random: int


@dataclass(frozen=True, slots=True)
class LabellerCount:
    """How many labels a labeller gave in one queue, or in none."""

    given_by: str | None
    queue: str | None
    labels: int


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
    return _labelled(connection, query.order_by(made_at.desc(), identity.desc()).limit(limit))


def one(connection: Connection, prediction_id: str) -> LabelledPrediction | None:
    """One prediction with its labels, or None if it does not exist."""
    found = _labelled(connection, select(predictions).where(predictions.c.id == prediction_id))
    return found[0] if found else None


def useful(connection: Connection, limit: int) -> list[LabelledPrediction]:
    """The `limit` unlabelled pictures that a model would learn most from, best first.

    The score is the uncertainty (1 - confidence) divided by the square root of one plus the number of
    labels of the predicted mood. So rare moods come first, and within a mood the least certain pictures;
    the square root keeps a mood that hardly occurs from filling the queue with false positives. Within a
    mood an index gives the order, so seven short lists suffice.
    """
    lists = [
        select(predictions.c.id, predictions.c.mood, predictions.c.confidence)
        .where(_waiting_useful(), predictions.c.mood == mood)
        .order_by(predictions.c.confidence)
        .limit(limit)
        .subquery()
        for mood in NAMES
    ]
    candidates = connection.execute(union_all(*(select(each) for each in lists))).all()
    counts = _label_counts(connection)

    def order(row: Row[tuple[str, str, float]]) -> tuple[float, str]:
        return -(1 - row.confidence) / (1 + counts[row.mood]) ** 0.5, row.id

    ids = [row.id for row in sorted(candidates, key=order)[:limit]]
    found = _labelled(connection, select(predictions).where(predictions.c.id.in_(ids)))
    return sorted(found, key=lambda each: ids.index(each.prediction.id))


def at_random(connection: Connection, limit: int) -> list[LabelledPrediction]:
    """The next `limit` pictures of the random queue, ordered by id.

    Ids are random and independent of the answer, so at any time the labelled ones are an unbiased sample
    of all pictures that were kept, even while new ones arrive. Pictures with volunteered labels are
    included: people volunteer because of the answer, and leaving those out would leave out the errors.
    """
    waiting = select(predictions).where(_waiting_random()).order_by(predictions.c.id).limit(limit)
    return _labelled(connection, waiting)


def lengths(connection: Connection) -> QueueLengths:
    """How many pictures wait in each queue."""
    waiting = [
        connection.execute(select(func.count()).select_from(predictions).where(condition)).scalar_one()
        for condition in (_waiting_useful(), _waiting_random())
    ]
    return QueueLengths(*waiting)


def labellers(connection: Connection) -> list[LabellerCount]:
    """How many labels each labeller gave, by queue; most labels first."""
    count = func.count().label("labels")
    query = (
        select(feedback.c.given_by, feedback.c.queue, count)
        .where(feedback.c.source == literal_column("'labeller'"))
        .group_by(feedback.c.given_by, feedback.c.queue)
        .order_by(count.desc(), feedback.c.given_by, feedback.c.queue)
    )
    return [LabellerCount(**row) for row in connection.execute(query).mappings()]


def _waiting_useful() -> ColumnElement[bool]:
    return and_(predictions.c.label.is_(None), predictions.c.picture_kept)


def _waiting_random() -> ColumnElement[bool]:
    return and_(predictions.c.picture_kept, ~predictions.c.judged)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    columns = predictions.c
    asked = [
        (filters.visitor is not None, columns.visitor == filters.visitor),
        (filters.unlabelled, columns.label.is_(None)),
        # A literal, here and in `labellers`: SQLite does not match a parameter to a partial index.
        (filters.unsure, columns.confidence < literal_column(str(UNSURE))),
        (filters.disagreed, and_(columns.label != columns.mood, columns.label != CANT_TELL)),
        (filters.with_picture, columns.picture_kept),
        (filters.mood is not None, columns.mood == filters.mood),
        (filters.model_version is not None, columns.model_version == filters.model_version),
    ]
    conditions = [condition for wanted, condition in asked if wanted]
    if filters.since is not None:
        conditions.append(columns.made_at >= filters.since)
    if filters.before is not None:
        conditions.append(columns.made_at < filters.before)
    return conditions


def _label_counts(connection: Connection) -> dict[str, int]:
    """How many predictions have each label, counted up to MANY."""
    counted = [
        select(func.count())
        .select_from(select(literal(1)).where(predictions.c.label == mood).limit(MANY).subquery())
        .scalar_subquery()
        for mood in NAMES
    ]
    return dict(zip(NAMES, connection.execute(select(*counted)).one(), strict=True))


def _labelled(connection: Connection, query: Select) -> list[LabelledPrediction]:
    """The predictions that a query finds, each with its labels, in two queries."""
    found = [prediction_of(row) for row in connection.execute(query).mappings()]
    given = labels_by_prediction(connection, feedback.c.prediction_id.in_([each.id for each in found]))
    return [LabelledPrediction(prediction, given[prediction.id]) for prediction in found]
