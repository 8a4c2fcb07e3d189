"""The statistical queries of the dashboard, counted by the database: most results are a few rows.

Figures of accuracy are tallies by visitor, so that each visitor has one vote, however often they answer.
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
    Bin,
    Day,
    Example,
    LabelPair,
    LabelTally,
    Mix,
    MoodPlays,
    Scope,
    VersionUse,
    VisitorTally,
)
from vibecheck.records.stats.steps import first_day, step_number
from vibecheck.records.stats.visitor_tallies import (
    Groups,
    audits,
    by_visitor,
    groups_of,
    inside,
    numbered,
    of_whom,
    random_queue,
    real,
    tally,
    tally_sums,
)


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

    def audited(self, scope: Scope) -> VisitorTally:
        """All audits."""
        return self._tally(audits(scope))

    def drawn(self, scope: Scope) -> VisitorTally:
        """Labels of the labellers' random queue, by the visitor they show: like audits, a random sample."""
        return self._tally(random_queue(scope))

    def audited_by_step(self, scope: Scope, step: str, last: date) -> dict[date, VisitorTally]:
        """Audits by the step that their day lies in, by its first day; see `steps.py`."""
        return self._by_step(audits(scope), step, last)

    def drawn_by_step(self, scope: Scope, step: str, last: date) -> dict[date, VisitorTally]:
        """Labels of the random queue in the same form."""
        return self._by_step(random_queue(scope), step, last)

    def audited_by_version(self) -> dict[str, VisitorTally]:
        """All audits, over all time, by model version."""
        each = by_visitor(audits(Scope()), outcomes.c.model_version)
        sums = tally_sums(each.c.n, each.c.correct)
        rows = fetch(self._engine, select(each.c.model_version, *sums).group_by(each.c.model_version))
        return {version: tally(row) for version, *row in rows}

    def cells(self, scope: Scope) -> dict[tuple[str, str], tuple[int, float]]:
        """Audits by label and mood, with the sum of the visitors' shares of them among those of the label."""
        each = by_visitor(audits(scope), outcomes.c.label, outcomes.c.mood)
        of_label = func.sum(each.c.n).over(partition_by=(each.c.label, each.c.who))
        share = select(each, (real(each.c.n) / of_label).label("share")).subquery()
        key = share.c.label, share.c.mood
        query = select(*key, func.sum(share.c.n), func.sum(share.c.share)).group_by(*key).order_by(*key)
        return {(label, mood): (int(n), float(w)) for label, mood, n, w in fetch(self._engine, query)}

    def confused(self, scope: Scope) -> dict[tuple[str, str], VisitorTally]:
        """Mistakes by pair of moods, in both directions, as tallies of all mistakes."""
        ordered = outcomes.c.label < outcomes.c.mood
        first = case((ordered, outcomes.c.label), else_=outcomes.c.mood).label("first")
        second = case((ordered, outcomes.c.mood), else_=outcomes.c.label).label("second")
        each = by_visitor([*audits(scope), ~outcomes.c.correct], first, second)
        mistakes = func.sum(each.c.n).over(partition_by=each.c.who)
        share = select(each, (real(each.c.n) / mistakes).label("share")).subquery()
        key = share.c.first, share.c.second
        sums = func.sum(share.c.n), func.sum(share.c.share), func.sum(share.c.share * share.c.share)
        rows = fetch(self._engine, select(*key, *sums).group_by(*key).order_by(*key))
        total = by_visitor([*audits(scope), ~outcomes.c.correct])
        visitors, n = fetch(self._engine, select(func.count(), func.sum(total.c.n)))[0]
        return {
            (first, second): VisitorTally(int(n), int(k), visitors, float(shares), float(squares))
            for first, second, k, shares, squares in rows
        }

    def groups(self, scope: Scope) -> Groups:
        """Audits by bin of each signal, by mood, source and model version; empty ones are not there.

        Counted here from one narrow row per audit: for so many groups, each with all others, that takes a
        quarter of the time that the database needs.
        """
        names = [f"{signal.column}_bin" for signal in SIGNALS] + ["mood", "source", "model_version"]
        columns = [outcomes.c[name] for name in names]
        rows = fetch(self._engine, select(of_whom(), outcomes.c.correct, *columns).where(*audits(scope)))
        if not rows:
            return {}
        people, right, *values = zip(*rows, strict=True)
        table = dict(zip(names, map(np.array, values), strict=True))
        return groups_of(numbered(people), np.array(right, dtype=bool), table)

    def bins(self, scope: Scope, by_version: bool = False) -> list[Bin]:
        """Audits by bin of confidence, and with `by_version` by model version."""
        key = ["model_version"] if by_version else []
        columns = [outcomes.c[name] for name in (*key, "confidence_bin")]
        each = by_visitor(audits(scope), *columns, confidence=func.sum(outcomes.c.confidence))
        all_n = func.sum(each.c.n).over(partition_by=[each.c[name] for name in ("who", *key)]).label("all_n")
        of = select(each, all_n).subquery().c
        weights = [func.sum(real(value) / of.all_n) for value in (of.n, of.correct, of.confidence)]
        keys = [of[column.name] for column in columns]
        query = select(*keys, *tally_sums(of.n, of.correct), *weights).group_by(*keys).order_by(*keys)
        return [
            Bin(row[0] if key else None, row.confidence_bin, tally(row[-8:-3]), *map(float, row[-3:]))
            for row in fetch(self._engine, query)
        ]

    def mix(self, scope: Scope) -> Mix:
        """How the predictions of each day are spread over moods and over the bins of each signal.

        At most MOST_IN_MIX per visitor and day count.
        """
        names = ("counted", *BIN_COUNTERS)
        key = daily.c.day, daily.c.mood
        query = select(*key, *(func.sum(daily.c[name]) for name in names)).where(*inside(daily, scope))
        rows = fetch(self._engine, query.group_by(*key))
        days = {day: number for number, day in enumerate(sorted({row.day for row in rows}))}
        table = np.zeros((len(days), len(NAMES), len(names)), dtype=int)
        for day, mood, *sums in rows:
            table[days[day], NAMES.index(mood)] = sums
        ends = np.cumsum([1, *(len(signal.names) for signal in SIGNALS)])
        _, *signals, _ = np.split(table.sum(axis=1), ends, axis=1)
        by_column = {signal.column: bins for signal, bins in zip(SIGNALS, signals, strict=True)}
        return Mix(table[:, :, 0], by_column)

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

    def _tally(self, where: Sequence[ColumnElement[bool]]) -> VisitorTally:
        each = by_visitor(where)
        (row,) = fetch(self._engine, select(*tally_sums(each.c.n, each.c.correct)))
        return tally(row)

    def _by_step(
        self, where: Sequence[ColumnElement[bool]], step: str, last: date
    ) -> dict[date, VisitorTally]:
        number = step_number(self._engine.dialect.name, outcomes.c.day, step, last).label("step")
        each = by_visitor(where, number, first=func.min(outcomes.c.day))
        sums = tally_sums(each.c.n, each.c.correct)
        rows = fetch(self._engine, select(func.min(each.c.first), *sums).group_by(each.c.step))
        return {first_day(row[0], last, step): tally(row[1:]) for row in rows}
