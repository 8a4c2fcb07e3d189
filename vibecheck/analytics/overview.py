"""Everything that the dashboard, the report and `stats` say about one scope, computed at one go."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from vibecheck.analytics.accuracy import Accuracy, Point, accuracy, line
from vibecheck.analytics.calibration import Calibration, calibration
from vibecheck.analytics.confusion import Confusion, confusion
from vibecheck.analytics.drift import Drift, drift
from vibecheck.analytics.label_errors import thresholds
from vibecheck.analytics.model_comparison import ComparedModel, side_by_side
from vibecheck.analytics.retrain import Advice, advice
from vibecheck.analytics.shares import share
from vibecheck.analytics.slices import Slice, slices
from vibecheck.records.stats.queries import Counting
from vibecheck.records.stats.results import Answers, Day, Example, MoodPlays, Scope

# Named times, in days up to today.
PERIODS = {"week": 7, "4 weeks": 28, "12 weeks": 84, "all": None}

# The reference of drift: this many times the period, before it.
REFERENCE = 4

# The line shows at least this many days, for a week alone is no line.
LINE_DAYS = 84

SUSPECTS = 24


@dataclass(frozen=True, slots=True)
class LiveModel:
    """The model in use: its version, and the accuracy that it was promised to have, if any."""

    version: str
    promise: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What is known of one scope, as of a day."""

    scope: Scope
    today: date
    period: str
    step: str
    predictions: int
    accuracy: Accuracy
    line: tuple[Point, ...]
    confusion: Confusion
    slices: tuple[Slice, ...]
    calibration: Calibration
    drift: Drift
    days: tuple[Day, ...]
    plays: tuple[MoodPlays, ...]


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Where the models stand, whatever the scope: all versions, labels in doubt, time to retrain."""

    champion: LiveModel
    versions: tuple[ComparedModel, ...]
    suspects: tuple[Example, ...]
    suspect_count: int
    retrain: Advice


def scope_of(period: str, today: date, model_version: str | None = None, source: str | None = None) -> Scope:
    """The scope of a named period that ends today."""
    days = PERIODS[period]
    since = today - timedelta(days=days - 1) if days else None
    return Scope(since, today, model_version, source)


def look(
    counting: Counting,
    today: date,
    period: str = "week",
    model_version: str | None = None,
    source: str | None = None,
    step: str = "week",
) -> Overview:
    """Asks the records and computes all about a scope. Raises RecordsError where they cannot be read."""
    scope = scope_of(period, today, model_version, source)
    shown = _line_scope(scope, today)
    days, answers = counting.days(shown), counting.answers(shown) + counting.drawn(shown)
    cells, bins = counting.cells(scope), counting.bins(scope)
    inside = [day for day in days if _within(day, scope)]
    return Overview(
        scope=scope,
        today=today,
        period=period,
        step=step,
        predictions=sum(day.n for day in inside),
        accuracy=accuracy(
            inside,
            [answer for answer in answers if _within(answer, scope)],
            _before(counting, scope),
        ),
        line=tuple(line(days, answers, bins, today, step)),
        confusion=confusion(cells),
        slices=tuple(slices(counting.groups(scope), cells)),
        calibration=calibration(bins),
        drift=_drift(counting, scope),
        days=tuple(inside),
        plays=tuple(counting.plays(scope)),
    )


def stand(counting: Counting, champion: LiveModel, today: date) -> ModelStatus:
    """Asks the records and computes where the models stand. Raises RecordsError."""
    uses = counting.versions()
    versions = side_by_side(uses, counting.bins(Scope()))
    live_since = next((use.first_used_at for use in uses if use.version == champion.version), None)
    since = live_since or datetime.min.replace(tzinfo=UTC)
    doubt = thresholds(counting.mean_label_probability())
    suspect_count, suspects = counting.suspects(doubt, SUSPECTS)
    return ModelStatus(
        champion=champion,
        versions=tuple(versions),
        suspects=tuple(suspects),
        suspect_count=suspect_count,
        retrain=advice(
            audited=next((v.accuracy for v in versions if v.name == champion.version), share(0, 0)),
            promise=champion.promise,
            drift=_drift(counting, scope_of("4 weeks", today)),
            new_labels=counting.labels_since(since),
            suspects=counting.suspects(doubt, 0, since)[0],
            live_since=live_since.date() if live_since else None,
            today=today,
        ),
    )


def _line_scope(scope: Scope, today: date) -> Scope:
    if scope.since is None:
        return scope
    return replace(scope, since=min(scope.since, today - timedelta(days=LINE_DAYS - 1)))


def _within(counted: Day | Answers, scope: Scope) -> bool:
    return scope.since is None or counted.day >= scope.since


def _before(counting: Counting, scope: Scope) -> list[Answers]:
    """The answers of the time of the same length before the scope."""
    if scope.since is None or scope.until is None:
        return []
    length = scope.until - scope.since + timedelta(days=1)
    return counting.answers(replace(scope, since=scope.since - length, until=scope.since - timedelta(days=1)))


def _drift(counting: Counting, scope: Scope) -> Drift:
    """The scope against the time before it; all of the time: its last four weeks against the rest."""
    until = scope.until or date.max
    since, start = scope.since, None
    if since is None:
        since = until - timedelta(days=27)
    else:
        start = since - (until - since + timedelta(days=1)) * REFERENCE
    before = replace(scope, since=start, until=since - timedelta(days=1))
    return drift(counting.mix(replace(scope, since=since)), counting.mix(before))
