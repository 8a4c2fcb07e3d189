"""The labels that a model can learn from: those that hold, name a mood, and have a picture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, func, select

from vibecheck.emotions import NAMES
from vibecheck.records.db.tables import outcomes, predictions
from vibecheck.records.db.transactions import reading
from vibecheck.records.stats.queries import example_of
from vibecheck.records.stats.results import Example


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How many predictions are labelled with a mood; of `right` of them the answer was that too."""

    label: str
    n: int
    right: int


class Learnable:
    """The questions. Each raises RecordsError where the database fails."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def counts(self, since: datetime | None = None, made_since: datetime | None = None) -> list[LabelCount]:
        """How many there are of each mood, in the order of EMOTIONS.

        Only of labels given since a moment, and of predictions made since another.
        """
        query = (
            select(outcomes.c.label, func.count(), func.count().filter(outcomes.c.correct))
            .join_from(outcomes, predictions)
            .where(*_usable(since, made_since))
            .group_by(outcomes.c.label)
        )
        with reading(self._engine) as connection:
            found = {label: (n, right) for label, n, right in connection.execute(query)}
        return [LabelCount(name, *found.get(name, (0, 0))) for name in NAMES]

    def newest(self, limit: int, since: datetime | None = None, label: str | None = None) -> list[Example]:
        """The `limit` predictions labelled last, with one mood or any."""
        query = (
            select(outcomes)
            .join_from(outcomes, predictions)
            .where(*_usable(since))
            .order_by(outcomes.c.given_at.desc(), outcomes.c.prediction_id)
            .limit(limit)
        )
        if label is not None:
            query = query.where(outcomes.c.label == label)
        with reading(self._engine) as connection:
            return [example_of(row) for row in connection.execute(query)]

    def among(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Those of these predictions that a model can learn from, sorted."""
        query = (
            select(outcomes.c.prediction_id)
            .join_from(outcomes, predictions)
            .where(*_usable(None), outcomes.c.prediction_id.in_(list(ids)))
            .order_by(outcomes.c.prediction_id)
        )
        with reading(self._engine) as connection:
            return tuple(connection.execute(query).scalars())


def _usable(since: datetime | None, made_since: datetime | None = None) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [outcomes.c.holds, predictions.c.picture_kept]
    if since is not None:
        conditions.append(outcomes.c.given_at >= since)
    if made_since is not None:
        conditions.append(predictions.c.made_at >= made_since)
    return conditions
