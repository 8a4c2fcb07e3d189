"""What the dashboard asks of the records, counted by the database: every answer is a few rows.

All but `least_sure` read only the summaries (`summaries.py`), never the predictions.
"""

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import ColumnElement, Engine, Row, Select, Table, case, exists, func, or_, select

from vibecheck.emotions import NAMES
from vibecheck.records.db.tables import (
    daily,
    feedback,
    model_versions,
    outcomes,
    predictions,
    promotions,
    registered_models,
    trained_on,
)
from vibecheck.records.db.transactions import reading
from vibecheck.records.stats.bins import CONFIDENCE, SIGNALS
from vibecheck.records.stats.results import (
    Bin,
    Cell,
    DailyLabels,
    Day,
    Example,
    Group,
    Mix,
    MoodPlays,
    Scope,
    VersionUse,
)


class StatisticsQueries:
    """The questions. Each opens a transaction of its own; raises RecordsError where the database fails."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def span(self) -> tuple[date, date] | None:
        """The first and the last day with predictions, or None where there are none."""
        query = select(func.min(daily.c.day), func.max(daily.c.day)).where(daily.c.n > 0)
        first, last = self._rows(query)[0]
        return (first, last) if first else None

    def sources(self) -> list[str]:
        """The sources that predictions came from."""
        query = select(daily.c.source).where(daily.c.n > 0).distinct().order_by(daily.c.source)
        return [row.source for row in self._rows(query)]

    def days(self, scope: Scope) -> list[Day]:
        """Predictions by day, oldest first; days without any are not there."""
        bins = [daily.c[f"confidence_{number}"] for number in range(len(CONFIDENCE.names))]
        numbers = (daily.c.n, daily.c.audits, daily.c.plays, daily.c.confidence_sum, *bins)
        query = _within(select(daily.c.day, *map(func.sum, numbers)), daily, scope)
        rows = self._rows(query.where(daily.c.n > 0).group_by(daily.c.day).order_by(daily.c.day))
        return [
            Day(day, int(n), int(audits), int(plays), float(total), tuple(map(int, counts)))
            for day, n, audits, plays, total, *counts in rows
        ]

    def answers(self, scope: Scope) -> list[DailyLabels]:
        """Labels that count, by day and kind."""
        key = outcomes.c.day, outcomes.c.kind
        query = _within(select(*key, func.count(), _correct()), outcomes, scope).where(outcomes.c.counts)
        rows = self._rows(query.group_by(*key).order_by(*key))
        return [DailyLabels(day, kind, n, int(correct)) for day, kind, n, correct in rows]

    def drawn(self, scope: Scope) -> list[DailyLabels]:
        """Labels that labellers gave in the random queue, by day: like audits, they were drawn blindly."""
        key = outcomes.c.day, outcomes.c.kind
        same = (feedback.c.prediction_id == outcomes.c.prediction_id) & (feedback.c.n == outcomes.c.n)
        query = _within(select(outcomes.c.day, func.count(), _correct()), outcomes, scope).join_from(
            outcomes, feedback, same
        )
        query = query.where(outcomes.c.kind == "labeller", outcomes.c.counts, feedback.c.queue == "random")
        rows = self._rows(query.group_by(*key).order_by(*key))
        return [DailyLabels(day, "random", n, int(correct)) for day, n, correct in rows]

    def cells(self, scope: Scope) -> list[Cell]:
        """Audits by label and mood."""
        key = outcomes.c.label, outcomes.c.mood
        query = _audits(select(*key, func.count()), scope).group_by(*key).order_by(*key)
        return [Cell(*row) for row in self._rows(query)]

    def groups(self, scope: Scope) -> list[Group]:
        """Audits by bin of each signal, by source and by model version; empty ones are not there.

        All bins are counted in one pass, which takes a quarter of the time of a pass for each.
        """
        places = [(signal, index) for signal in SIGNALS for index in range(len(signal.names))]
        inside = [outcomes.c[f"{signal.column}_bin"] == index for signal, index in places]
        sums = [_number(place) for place in inside] + [
            _number(place & outcomes.c.correct) for place in inside
        ]
        row = [int(total or 0) for total in self._rows(_audits(select(*sums), scope))[0]]
        found = [
            Group(signal.column, signal.names[index], n, correct)
            for (signal, index), n, correct in zip(places, row, row[len(places) :], strict=False)
        ]
        key = outcomes.c.source, outcomes.c.model_version
        both = self._rows(_audits(select(*key, func.count(), _correct()), scope).group_by(*key))
        for what, place in (("source", 0), ("model_version", 1)):
            for name in sorted({row[place] for row in both}):
                mine = [row for row in both if row[place] == name]
                found.append(Group(what, name, sum(row[2] for row in mine), sum(int(row[3]) for row in mine)))
        return [group for group in found if group.n]

    def bins(self, scope: Scope) -> list[Bin]:
        """Audits by model and bin of confidence."""
        key = outcomes.c.model_version, outcomes.c.confidence_bin
        query = _audits(select(*key, func.count(), _correct(), func.sum(outcomes.c.confidence)), scope)
        rows = self._rows(query.group_by(*key).order_by(*key))
        return [
            Bin(version, number, n, int(right), float(total)) for version, number, n, right, total in rows
        ]

    def mix(self, scope: Scope) -> Mix:
        """How all predictions are spread over moods and over the bins of each signal."""
        names = [[f"{signal.column}_{i}" for i in range(len(signal.names))] for signal in SIGNALS]
        sums = [func.sum(daily.c[name]) for group in names for name in group]
        query = _within(select(daily.c.mood, func.sum(daily.c.n), *sums), daily, scope)
        by_mood = {
            row[0]: [int(number) for number in row[1:]] for row in self._rows(query.group_by(daily.c.mood))
        }
        totals = [sum(column) for column in zip(*by_mood.values(), strict=True)] or [0] * (1 + len(sums))
        signals, start = {}, 1
        for signal, group in zip(SIGNALS, names, strict=True):
            signals[signal.column] = tuple(totals[start : start + len(group)])
            start += len(group)
        return Mix(totals[0], tuple(by_mood.get(name, [0])[0] for name in NAMES), signals)

    def plays(self, scope: Scope) -> list[MoodPlays]:
        """Playlists by mood, in the order of EMOTIONS; moods that were never seen are not there."""
        numbers = map(func.sum, (daily.c.n, daily.c.plays, daily.c.agains))
        query = _within(select(daily.c.mood, *numbers), daily, scope).group_by(daily.c.mood)
        rows = sorted(self._rows(query), key=lambda row: NAMES.index(row[0]))
        return [MoodPlays(mood, int(n), int(plays), int(again)) for mood, n, plays, again in rows if n]

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
            for version, origin, first, last, n, latency in self._rows(query)
        ]

    def live_since(self, version: str) -> datetime | None:
        """When a model last went live: its last promotion, else its first prediction; None for neither."""
        promoted = select(func.max(promotions.c.made_at)).where(promotions.c.version == version)
        used = select(model_versions.c.first_used_at).where(model_versions.c.version == version)
        rows = self._rows(promoted) + self._rows(used)
        return next((moment for (moment,) in rows if moment is not None), None)

    def trained_at(self, version: str) -> datetime | None:
        """When a model was trained on labels of these records; None if it learned from none of them."""
        learned = exists().where(trained_on.c.version == registered_models.c.version)
        query = select(registered_models.c.registered_at).where(
            registered_models.c.version == version, learned
        )
        return next((moment for (moment,) in self._rows(query)), None)

    def mean_label_probability(self) -> dict[str, float]:
        """For each label the mean probability that models gave it where it was given."""
        query = select(outcomes.c.label, func.avg(outcomes.c.label_probability)).where(outcomes.c.holds)
        return {label: float(mean) for label, mean in self._rows(query.group_by(outcomes.c.label))}

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
        doubt = [outcomes.c.holds, ~outcomes.c.correct, outcomes.c.kind != "labeller", or_(*sure)]
        doubt.append(exists().where(predictions.c.id == outcomes.c.prediction_id, predictions.c.picture_kept))
        if since is not None:
            doubt.append(outcomes.c.given_at >= since)
        worst = outcomes.c.label_probability, outcomes.c.prediction_id
        number = self._rows(select(func.count()).where(*doubt))[0][0]
        return number, self._examples(select(outcomes).where(*doubt).order_by(*worst).limit(limit))

    def mistakes(
        self, scope: Scope, limit: int, label: str | None = None, mood: str | None = None
    ) -> list[Example]:
        """Predictions whose label, which holds, says they were wrong, those that were surest first.

        With `label` and `mood`: the audits of that cell of the confusion matrix, right or wrong.
        """
        if label and mood:
            query = _audits(select(outcomes), scope)
            query = query.where(outcomes.c.label == label, outcomes.c.mood == mood)
        else:
            query = _within(select(outcomes), outcomes, scope)
            query = query.where(outcomes.c.holds, ~outcomes.c.correct)
        surest = outcomes.c.confidence.desc(), outcomes.c.prediction_id
        return self._examples(query.order_by(*surest).limit(limit))

    def least_sure(self, scope: Scope, limit: int) -> list[Example]:
        """Predictions of which the model was least sure, labelled or not."""
        of = predictions.c
        query = select(of.id, of.made_at, of.model_version, of.source, of.mood, of.confidence)
        if scope.since is not None:
            query = query.where(of.made_at >= datetime.combine(scope.since, time(), UTC))
        if scope.until is not None:
            query = query.where(of.made_at < datetime.combine(scope.until + timedelta(days=1), time(), UTC))
        if scope.model_version is not None:
            query = query.where(of.model_version == scope.model_version)
        if scope.source is not None:
            query = query.where(of.source == scope.source)
        return [
            Example(row.id, row.made_at.date(), row.model_version, row.source, row.mood, row.confidence)
            for row in self._rows(query.order_by(of.confidence, of.id).limit(limit))
        ]

    def _rows(self, query: Select) -> list[Row]:
        with reading(self._engine) as connection:
            return list(connection.execute(query))

    def _examples(self, query: Select) -> list[Example]:
        return [example_of(row) for row in self._rows(query)]


def example_of(row: Row) -> Example:
    """A row of `outcomes`."""
    return Example(
        prediction_id=row.prediction_id,
        day=row.day,
        model_version=row.model_version,
        source=row.source,
        mood=row.mood,
        label=row.label,
        kind=row.kind,
        confidence=row.confidence,
        label_probability=row.label_probability,
    )


def _within(query: Select, table: Table, scope: Scope) -> Select:
    """The query, kept to a scope; `table` is a summary."""
    if scope.since is not None:
        query = query.where(table.c.day >= scope.since)
    if scope.until is not None:
        query = query.where(table.c.day <= scope.until)
    if scope.model_version is not None:
        query = query.where(table.c.model_version == scope.model_version)
    if scope.source is not None:
        query = query.where(table.c.source == scope.source)
    return query


def _audits(query: Select, scope: Scope) -> Select:
    return _within(query, outcomes, scope).where(outcomes.c.kind == "audit", outcomes.c.counts)


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _correct() -> ColumnElement[int]:
    return _number(outcomes.c.correct)
