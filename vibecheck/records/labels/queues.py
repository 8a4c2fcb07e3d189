"""The queues of labellers: which pictures to label next."""

from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from vibecheck.emotions import NAMES
from vibecheck.records.db.tables import feedback, predictions
from vibecheck.records.db.transactions import reading
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.labels.pages import labelled_by

# Labels of a mood are counted up to here: beyond it the mood is not rare.
MANY = 1000


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


class LabelQueues:
    """The queues. Every method raises RecordsError where the database fails."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def next(self, name: str, limit: int) -> list[LabelledPrediction]:
        """The next `limit` pictures of a queue, "useful" or "random"."""
        next_of = {"useful": _useful, "random": _at_random}[name]
        with reading(self._engine) as connection:
            return next_of(connection, limit)

    def lengths(self) -> QueueLengths:
        """How many pictures wait in each queue."""
        with reading(self._engine) as connection:
            waiting = [
                connection.execute(
                    select(func.count()).select_from(predictions).where(condition)
                ).scalar_one()
                for condition in (_waiting_useful(), _waiting_random())
            ]
        return QueueLengths(*waiting)

    def labellers(self) -> list[LabellerCount]:
        """How many labels each labeller gave, by queue; most labels first."""
        count = func.count().label("labels")
        query = (
            select(feedback.c.given_by, feedback.c.queue, count)
            # A literal: SQLite does not match a parameter to a partial index.
            .where(feedback.c.source == literal_column("'labeller'"))
            .group_by(feedback.c.given_by, feedback.c.queue)
            .order_by(count.desc(), feedback.c.given_by, feedback.c.queue)
        )
        with reading(self._engine) as connection:
            return [LabellerCount(**row) for row in connection.execute(query).mappings()]


def _useful(connection: Connection, limit: int) -> list[LabelledPrediction]:
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
    found = labelled_by(connection, select(predictions).where(predictions.c.id.in_(ids)))
    return sorted(found, key=lambda each: ids.index(each.prediction.id))


def _at_random(connection: Connection, limit: int) -> list[LabelledPrediction]:
    """The next `limit` pictures of the random queue, ordered by id.

    Ids are random and independent of the answer, so at any time the labelled ones are an unbiased sample
    of all pictures that were kept, even while new ones arrive. Pictures with volunteered labels are
    included: people volunteer because of the answer, and leaving those out would leave out the errors.
    """
    waiting = select(predictions).where(_waiting_random()).order_by(predictions.c.id).limit(limit)
    return labelled_by(connection, waiting)


def _waiting_useful() -> ColumnElement[bool]:
    return and_(predictions.c.label.is_(None), predictions.c.picture_kept)


def _waiting_random() -> ColumnElement[bool]:
    return and_(predictions.c.picture_kept, ~predictions.c.judged)


def _label_counts(connection: Connection) -> dict[str, int]:
    """How many predictions have each label, counted up to MANY."""
    counted = [
        select(func.count())
        .select_from(select(literal(1)).where(predictions.c.label == mood).limit(MANY).subquery())
        .scalar_subquery()
        for mood in NAMES
    ]
    return dict(zip(NAMES, connection.execute(select(*counted)).one(), strict=True))
