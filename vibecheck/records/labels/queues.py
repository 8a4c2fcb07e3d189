"""The queues of labellers: which pictures to label next."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, literal, literal_column, select, union_all

from vibecheck.emotions import NAMES
from vibecheck.records.db.tables import feedback, predictions
from vibecheck.records.db.transactions import Queries, fetch, reading
from vibecheck.records.labels import second_labels
from vibecheck.records.labels.effective_label import OVERRULES
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.labels.pagination import with_labels
from vibecheck.records.values import SECOND

# Labels of a mood are counted up to here: beyond it the mood is not rare.
MANY = 1000


@dataclass(frozen=True, slots=True)
class LabellerCount:
    """How many labels a labeller gave in one queue, or in none."""

    given_by: str | None
    queue: str | None
    labels: int


class LabelQueues(Queries):
    """Queries for the queues of labellers."""

    def next(self, name: str, limit: int, labeller: str | None = None) -> list[LabelledPrediction]:
        """The next `limit` pictures of a queue, "useful" or "random", for a labeller."""
        with reading(self._engine) as connection:
            ids = _useful(connection, limit) if name == "useful" else _random(connection, limit, labeller)
            query = select(predictions).where(predictions.c.id.in_(ids))
            found = with_labels(connection, connection.execute(query).mappings().all())
        return sorted(found, key=lambda each: ids.index(each.prediction.id))

    def lengths(self, labeller: str | None = None) -> dict[str, int]:
        """How many pictures wait in each queue, by its name, for a labeller."""
        with reading(self._engine) as connection:
            useful = _count(connection, _waiting_useful())
            random = sum(_count(connection, waiting) for waiting in _waiting_random(labeller))
        return {"useful": useful, "random": random}

    def labellers(self) -> list[LabellerCount]:
        """How many labels each labeller gave, by queue; most labels first."""
        # Literals: SQLite does not match parameters to a partial index.
        first = (
            select(feedback.c.given_by, feedback.c.queue, func.count().label("labels"))
            .where(feedback.c.source == literal_column(f"'{OVERRULES}'"))
            .group_by(feedback.c.given_by, feedback.c.queue)
        )
        second = (
            select(feedback.c.given_by, literal("random").label("queue"), func.count().label("labels"))
            .where(feedback.c.source == literal_column(f"'{SECOND}'"))
            .group_by(feedback.c.given_by)
        )
        both = union_all(first, second).subquery().c
        count = func.sum(both.labels)
        query = (
            select(both.given_by, both.queue, count)
            .group_by(both.given_by, both.queue)
            .order_by(count.desc(), both.given_by, both.queue)
        )
        return [LabellerCount(who, queue, int(labels)) for who, queue, labels in fetch(self._engine, query)]


def _useful(connection: Connection, limit: int) -> list[str]:
    """The ids of the `limit` unlabelled pictures that a model would learn most from, best first.

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
    counts = _label_counts(connection)
    candidates = connection.execute(union_all(*(select(each) for each in lists)))
    ranked = sorted((-(1 - row.confidence) / (1 + counts[row.mood]) ** 0.5, row.id) for row in candidates)
    return [prediction_id for _, prediction_id in ranked[:limit]]


def _random(connection: Connection, limit: int, labeller: str | None) -> list[str]:
    """The ids of the next `limit` pictures of the random queue for a labeller, in ascending order.

    Ids are random and independent of the answer, so at any time the labelled ones are an unbiased sample
    of all pictures that were kept, even while new ones arrive. Pictures with volunteered labels are
    included: people volunteer because of the answer, and leaving those out would leave out the errors.
    Among them are those that wait for a second label.
    """
    lists = [
        select(predictions.c.id).where(waiting).order_by(predictions.c.id).limit(limit).subquery()
        for waiting in _waiting_random(labeller)
    ]
    return sorted(connection.execute(union_all(*(select(each) for each in lists))).scalars())[:limit]


def _count(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(predictions).where(condition)).scalar_one()


def _waiting_useful() -> ColumnElement[bool]:
    return predictions.c.label.is_(None) & predictions.c.picture_kept


def _waiting_random(labeller: str | None) -> list[ColumnElement[bool]]:
    """What waits for a first label, and what waits for a second one of this labeller."""
    first = predictions.c.picture_kept & ~predictions.c.judged
    if labeller is None:
        return [first]
    return [first & ~second_labels.gave_second(labeller), second_labels.waiting(labeller)]


def _label_counts(connection: Connection) -> dict[str, int]:
    """How many predictions have each label, counted up to MANY."""
    counted = [
        select(func.count())
        .select_from(select(literal(1)).where(predictions.c.label == mood).limit(MANY).subquery())
        .scalar_subquery()
        for mood in NAMES
    ]
    return dict(zip(NAMES, connection.execute(select(*counted)).one(), strict=True))
