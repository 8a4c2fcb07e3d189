"""The labels that a model can learn from: effective ones that name a mood and have a picture."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select

from vibecheck.emotions import NAMES
from vibecheck.records.db.summary_tables import outcomes
from vibecheck.records.db.tables import predictions, registered_models, trained_on
from vibecheck.records.db.transactions import Queries, fetch
from vibecheck.records.stats.results import Example


@dataclass(frozen=True, slots=True)
class LabelCount:
    """The number of predictions labelled with a mood; for `right` of them the model's answer was the same."""

    label: str
    n: int
    right: int


class TrainableLabels(Queries):
    """Queries for the labels that can be trained on."""

    def counts(self, since: datetime | None = None, made_since: datetime | None = None) -> list[LabelCount]:
        """How many there are of each mood, in the order of EMOTIONS.

        Only of labels given since a moment, and of predictions made since another.
        """
        usable = _usable(since)
        if made_since is not None:
            made = select(predictions.c.id).where(predictions.c.made_at >= made_since)
            usable.append(outcomes.c.prediction_id.in_(made))
        query = select(outcomes.c.label, func.count(), func.count().filter(outcomes.c.correct)).where(*usable)
        rows = fetch(self._engine, query.group_by(outcomes.c.label))
        found = {label: (n, right) for label, n, right in rows}
        return [LabelCount(name, *found.get(name, (0, 0))) for name in NAMES]

    def newest(self, limit: int, since: datetime | None = None, label: str | None = None) -> list[Example]:
        """The `limit` predictions labelled last, with one mood or any."""
        query = select(outcomes).where(*_usable(since))
        if label is not None:
            query = query.where(outcomes.c.label == label)
        newest_first = outcomes.c.given_at.desc(), outcomes.c.prediction_id
        return [Example.of(row) for row in fetch(self._engine, query.order_by(*newest_first).limit(limit))]

    def trained_at(self, version: str) -> datetime | None:
        """When a model was trained on labels of these records; None if it learned from none of them."""
        learned = exists().where(trained_on.c.version == registered_models.c.version)
        query = select(registered_models.c.registered_at).where(
            registered_models.c.version == version, learned
        )
        return next((moment for (moment,) in fetch(self._engine, query)), None)

    def mean_label_probability(self) -> dict[str, float]:
        """For each label, the mean probability that models gave it on pictures with that label."""
        query = select(outcomes.c.label, func.avg(outcomes.c.label_probability)).where(outcomes.c.holds)
        return {label: float(mean) for label, mean in fetch(self._engine, query.group_by(outcomes.c.label))}

    def suspects(
        self, thresholds: dict[str, float], limit: int, since: datetime | None = None
    ) -> tuple[int, list[Example]]:
        """Labels of kept pictures that contradict a model at least as confident as its mood's threshold.

        Returns how many there are, and the first `limit`, least likely label first. Labels that a labeller
        confirmed are not among them. With `since`: only labels given at that moment or later.
        """
        sure = [
            (outcomes.c.mood == mood) & (outcomes.c.confidence >= low) for mood, low in thresholds.items()
        ]
        if not sure:
            return 0, []
        doubt = ~outcomes.c.correct, outcomes.c.kind != "labeller", or_(*sure)
        query = select(outcomes, func.count().over().label("number")).where(*_usable(since), *doubt)
        worst = outcomes.c.label_probability, outcomes.c.prediction_id
        rows = fetch(self._engine, query.order_by(*worst).limit(limit))
        return rows[0].number if rows else 0, [Example.of(row) for row in rows]


def _usable(since: datetime | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [outcomes.c.holds, outcomes.c.picture_kept]
    if since is not None:
        conditions.append(outcomes.c.given_at >= since)
    return conditions
