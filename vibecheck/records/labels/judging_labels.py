"""Which labels judge models, and the models' readings of those faces.

A label judges two models if it was requested without looking at any answer (audits, imports, the labellers'
random queue) and neither model learned from anything of its visitor. Visitors who keep numbers only are
never learned from, so their labels always judge. Where visits are split instead of visitors, a held-out visit
judges although another one of the same visitor trains. At most MOST_A_DAY labels of a visitor and day count.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import Engine, exists, or_, select

from vibecheck.records import readings
from vibecheck.records.db.summary_tables import outcomes
from vibecheck.records.db.tables import predictions, trained_on
from vibecheck.records.db.tables import readings as readings_table
from vibecheck.records.db.transactions import reading
from vibecheck.records.labels.labelled import HELD_OUT
from vibecheck.records.stats.bins import QUALITY
from vibecheck.records.stats.summaries import MOST_A_DAY
from vibecheck.records.stats.visitor_tallies import from_random_queue

# If a prediction has several labels, the first of these judges, as in `effective_label`.
KINDS = ("labeller", "audit", "import")


@dataclass(frozen=True, slots=True)
class JudgingLabel:
    """A label of one of the seven moods that was requested at random, given at `given_at`.

    `held_out` says whether its picture is on the held-out side; `slices` are the names of the error slices
    (see `stats/bins.py`) that the face belongs to.
    """

    prediction_id: str
    label: str
    given_at: datetime
    visitor: str | None
    made_at: datetime
    held_out: bool = False
    slices: tuple[str, ...] = ()

    @property
    def day(self) -> date:
        """The day in UTC on which the prediction was made."""
        return self.made_at.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class JudgedReadings:
    """Labels in the order in which they were given, and the models' readings of the same faces.

    `said` has probabilities by prediction and version, `learned` the predictions that a version was trained
    on, and `people` the visitors of those that are still in the records.
    """

    labels: tuple[JudgingLabel, ...]
    said: Mapping[str, Mapping[str, tuple[float, ...]]]
    learned: Mapping[str, AbstractSet[str]]
    people: Mapping[str, AbstractSet[str]]

    def allowed(self, versions: Collection[str], since: datetime | None = None) -> list[JudgingLabel]:
        """The labels given after `since` that may judge these versions, whether or not they read them."""
        learned = set[str]().union(*(self.learned.get(version, ()) for version in versions))
        people = set[str]().union(*(self.people.get(version, ()) for version in versions))
        return [
            each
            for each in self.labels
            if each.prediction_id not in learned
            and (each.held_out or each.visitor is None or each.visitor not in people)
            and (since is None or each.given_at > since)
        ]

    def between(self, first: str, second: str, since: datetime | None = None) -> list[JudgingLabel]:
        """The labels that judge two versions which both read the face."""
        return at_most_a_day(
            each
            for each in self.allowed((first, second), since)
            if self.said.get(each.prediction_id, {}).keys() >= {first, second}
        )


def at_most_a_day(labels: Iterable[JudgingLabel]) -> list[JudgingLabel]:
    """The first MOST_A_DAY labels of each visitor and day."""
    counts: Counter[tuple[str, date]] = Counter()
    kept = []
    for each in labels:
        if each.visitor is not None:
            counts[each.visitor, each.day] += 1
            if counts[each.visitor, each.day] > MOST_A_DAY:
                continue
        kept.append(each)
    return kept


def judged(engine: Engine, versions: Sequence[str] | None = None, unread: bool = False) -> JudgedReadings:
    """All labels that may judge, with the readings of `versions`, or of all that ever read a face.

    Only labels of faces that one of them read; with `unread`, also those of held-out pictures, which can be
    read. Raises RecordsError.
    """
    of = outcomes.c
    read = exists().where(readings_table.c.prediction_id == of.prediction_id)
    if versions is not None:
        read = read.where(readings_table.c.version.in_(versions))
    columns = of.prediction_id, of.label, of.given_at, predictions.c.visitor, predictions.c.made_at
    bins = [of[f"{signal.column}_bin"] for signal in QUALITY]
    at_random = or_(of.kind.in_(("audit", "import")), from_random_queue())
    query = (
        select(*columns, of.kind, predictions.c.side, *bins)
        .join_from(outcomes, predictions)
        # Not `counts`: which of a visitor's audits can judge depends on the models (see `at_most_a_day`).
        .where(of.eligible, at_random, or_(read, predictions.c.side == HELD_OUT) if unread else read)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        said = readings.by_id(connection, {row.prediction_id for row in rows}, versions)
        trained = select(trained_on.c.version, trained_on.c.prediction_id, predictions.c.visitor).outerjoin(
            predictions, predictions.c.id == trained_on.c.prediction_id
        )
        if versions is not None:
            trained = trained.where(trained_on.c.version.in_(versions))
        learned: dict[str, set[str]] = defaultdict(set)
        people: dict[str, set[str]] = defaultdict(set)
        for version, prediction_id, visitor in connection.execute(trained):
            learned[version].add(prediction_id)
            if visitor is not None:
                people[version].add(visitor)
    labels: dict[str, JudgingLabel] = {}
    for row in sorted(rows, key=lambda row: KINDS.index(row.kind), reverse=True):
        numbers = zip(QUALITY, row[-len(QUALITY) :], strict=True)
        slices = tuple(signal.names[number] for signal, number in numbers)  # each bin is one slice
        labels[row.prediction_id] = JudgingLabel(
            row.prediction_id, row.label, row.given_at, row.visitor, row.made_at, row.side == HELD_OUT, slices
        )
    return JudgedReadings(
        tuple(sorted(labels.values(), key=lambda each: (each.given_at, each.prediction_id))),
        {key: {each.version: each.probabilities for each in made} for key, made in said.items()},
        learned,
        people,
    )
