"""The statistical queries of the dashboard, counted by the database: most results are a few rows.

Only the labels behind an accuracy, in which each visitor has one vote, are fetched (`visitor_tallies.py`).
Nearly all queries read only the summaries (`summaries.py`), not the predictions.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from sqlalchemy import ColumnElement, case, func, select

from vibecheck.emotions import NAMES
from vibecheck.records import learned_calibration
from vibecheck.records.db.summary_tables import BIN_COUNTERS, daily, outcomes
from vibecheck.records.db.tables import model_versions, predictions, promotions
from vibecheck.records.db.transactions import Queries, fetch, reading
from vibecheck.records.labels import judging_labels, second_labels
from vibecheck.records.labels.judging_labels import JudgedReadings
from vibecheck.records.learned_calibration import LearnedCalibration
from vibecheck.records.stats.bins import CONFIDENCE, SIGNALS
from vibecheck.records.stats.results import (
    Day,
    Example,
    LabelPair,
    LabelTally,
    Mix,
    MoodPlays,
    Scope,
    VersionUse,
)
from vibecheck.records.stats.visitor_tallies import COLUMNS, Answers, audits, inside, of_whom, random_queue

# Rows fetched at a time. From 700 on, each fetch starts Python's garbage collector, which visits them all.
ROWS = 500


class StatisticsQueries(Queries):
    """The queries."""

    def sources(self) -> list[str]:
        """The sources that predictions came from."""
        query = select(daily.c.source).where(daily.c.n > 0).distinct().order_by(daily.c.source)
        return [row.source for row in fetch(self._engine, query)]

    def days(self, scope: Scope) -> list[Day]:
        """Predictions by day, oldest first; days without any are left out."""
        bins = [daily.c[f"confidence_{number}"] for number in range(len(CONFIDENCE.names))]
        numbers = (daily.c.n, daily.c.audits, daily.c.plays, *bins)
        query = select(daily.c.day, *map(func.sum, numbers)).where(*inside(daily, scope), daily.c.n > 0)
        rows = fetch(self._engine, query.group_by(daily.c.day).order_by(daily.c.day))
        return [Day(day, n, audits, plays, tuple(counts)) for day, n, audits, plays, *counts in rows]

    def answers(self, scope: Scope) -> dict[str, LabelTally]:
        """Labels by kind."""
        of = outcomes.c
        right = func.count().filter(of.counts, of.correct)
        query = select(of.kind, func.count().filter(of.counts), right, func.count())
        query = query.where(*inside(outcomes, scope), of.eligible).group_by(of.kind)
        return {kind: LabelTally(*counts) for kind, *counts in fetch(self._engine, query)}

    def audits(self, scope: Scope) -> Answers:
        """All audits."""
        return self._tallied(audits(scope))

    def drawn(self, scope: Scope) -> Answers:
        """Labels of the labellers' random queue, by the visitor they show: like audits, a random sample."""
        return self._tallied(random_queue(scope))

    def mix(self, scope: Scope) -> Mix:
        """How the predictions of each day are spread over moods and over the bins of each signal.

        At most MOST_IN_MIX per visitor and day count.
        """
        numbers: list[ColumnElement] = [
            case((daily.c.mood == name, daily.c.counted), else_=0) for name in NAMES
        ]
        numbers += [daily.c[name] for name in BIN_COUNTERS]
        query = select(*map(func.sum, numbers)).where(*inside(daily, scope))
        rows = fetch(self._engine, query.group_by(daily.c.day).order_by(daily.c.day))
        table = np.array(list(map(tuple, rows)), dtype=int).reshape(len(rows), len(numbers))
        ends = np.cumsum([len(NAMES), *(len(signal.names) for signal in SIGNALS)])
        moods, *signals, _ = np.split(table, ends, axis=1)
        return Mix(moods, {signal.column: bins for signal, bins in zip(SIGNALS, signals, strict=True)})

    def plays(self, scope: Scope) -> list[MoodPlays]:
        """Playlists by mood, in the order of EMOTIONS; moods that were never seen are not there.

        At most MOST_IN_MIX predictions per visitor and day count, and MOST_PLAYS playlists of each.
        """
        numbers = map(func.sum, (daily.c.counted, daily.c.plays, daily.c.agains))
        query = select(daily.c.mood, *numbers).where(*inside(daily, scope)).group_by(daily.c.mood)
        rows = sorted(fetch(self._engine, query), key=lambda row: NAMES.index(row[0]))
        return [MoodPlays(mood, int(n), int(plays), int(again)) for mood, n, plays, again in rows if n]

    def label_pairs(self) -> list[LabelPair]:
        """The faces whose mood two labellers named; see `labels/second_labels.py`."""
        with reading(self._engine) as connection:
            return second_labels.pairs(connection)

    def versions(self) -> list[VersionUse]:
        """The models that made predictions here, oldest first."""
        used = (
            select(
                daily.c.model_version,
                func.max(case((daily.c.n > 0, daily.c.day))).label("last_day"),
                func.sum(daily.c.n).label("n"),
                func.sum(daily.c.latency_sum).label("latency"),
            )
            .group_by(daily.c.model_version)
            .subquery()
        )
        of = model_versions.c
        query = (
            select(of.version, of.origin, of.first_used_at, used.c.last_day, used.c.n, used.c.latency)
            .outerjoin_from(model_versions, used, used.c.model_version == of.version)
            .order_by(of.first_used_at, of.version)
        )
        return [
            VersionUse(version, origin, first, last, int(n or 0), float(latency) / int(n) if n else None)
            for version, origin, first, last, n, latency in fetch(self._engine, query)
        ]

    def judged(self, versions: Sequence[str] | None = None, unread: bool = False) -> JudgedReadings:
        """The labels that judge models, with the readings of the same faces by all models, or by some."""
        return judging_labels.judged(self._engine, versions, unread)

    def live_since(self, version: str) -> datetime | None:
        """When a model last went live: its last promotion, else its first prediction; None for neither."""
        promoted = select(func.max(promotions.c.made_at)).where(promotions.c.version == version)
        used = select(model_versions.c.first_used_at).where(model_versions.c.version == version)
        rows = fetch(self._engine, promoted) + fetch(self._engine, used)
        return next((moment for (moment,) in rows if moment is not None), None)

    def calibrations(self, version: str | None = None) -> list[LearnedCalibration]:
        """The calibrations learned from the audits of a model, or of all, newest first."""
        with reading(self._engine) as connection:
            return learned_calibration.history(connection, version)

    def recalibrated(self, scope: Scope) -> bool:
        """Whether the calibration of a model changed in the time of a scope."""
        first, last = scope.since or date.min, scope.until or date.max
        changes = self.calibrations(scope.model_version)
        return any(first <= each.from_when.date() <= last for each in changes)

    def models(self, scope: Scope) -> int:
        """How many models made the predictions of a scope."""
        query = select(func.count(daily.c.model_version.distinct())).where(
            *inside(daily, scope), daily.c.n > 0
        )
        return int(fetch(self._engine, query)[0][0])

    def mistakes(
        self, scope: Scope, limit: int, label: str | None = None, mood: str | None = None
    ) -> list[Example]:
        """Predictions whose effective label says they were wrong, the most confident first.

        With `label` and `mood`: the audits of that cell of the confusion matrix, right or wrong.
        """
        if label and mood:
            query = select(outcomes).where(*audits(scope), outcomes.c.label == label, outcomes.c.mood == mood)
        else:
            query = select(outcomes).where(*inside(outcomes, scope), outcomes.c.holds, ~outcomes.c.correct)
        surest = outcomes.c.confidence.desc(), outcomes.c.prediction_id
        return [Example.of(row) for row in fetch(self._engine, query.order_by(*surest).limit(limit))]

    def least_sure(self, scope: Scope, limit: int) -> list[Example]:
        """Predictions of which the model was least sure, labelled or not."""
        of = predictions.c
        where = inside(predictions, replace(scope, since=None, until=None))
        if scope.since is not None:
            where.append(of.made_at >= datetime.combine(scope.since, time(), UTC))
        if scope.until is not None:
            where.append(of.made_at < datetime.combine(scope.until + timedelta(days=1), time(), UTC))
        query = select(of.id, of.made_at, of.model_version, of.source, of.mood, of.confidence).where(*where)
        return [
            Example(row.id, row.made_at.date(), row.model_version, row.source, row.mood, row.confidence)
            for row in fetch(self._engine, query.order_by(of.confidence, of.id).limit(limit))
        ]

    def _tallied(self, where: Sequence[ColumnElement[bool]]) -> Answers:
        query = select(of_whom(), *(outcomes.c[name] for name in COLUMNS)).where(*where)
        with reading(self._engine) as connection:
            return Answers.of(connection.execute(query).partitions(ROWS))
