"""Everything that the dashboard, the report and `stats` show of one scope, computed together."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from vibecheck.analytics.accuracy import Accuracy, Point, accuracy, line
from vibecheck.analytics.agreement import Agreement, agreement
from vibecheck.analytics.calibration import Calibration, calibration
from vibecheck.analytics.confusion import Confusion, confusion
from vibecheck.analytics.drift import Drift, drift
from vibecheck.analytics.label_errors import NewLabels, new_labels
from vibecheck.analytics.model_comparison import ComparedModel, PairedComparison, paired, side_by_side
from vibecheck.analytics.retrain import Advice, advice
from vibecheck.analytics.shares import share
from vibecheck.analytics.slices import Slice, slices
from vibecheck.records.labels.trainable import TrainableLabels
from vibecheck.records.learned_calibration import LearnedCalibration
from vibecheck.records.stats.queries import StatisticsQueries
from vibecheck.records.stats.results import Day, MoodPlays, Scope, VersionUse, VisitorTally
from vibecheck.vision.manifest import Manifest

# Named times, in days up to today.
PERIODS = {"week": 7, "4 weeks": 28, "12 weeks": 84, "all": None}

# Drift is measured against the time before the period, this many times as long.
REFERENCE = 4

# The line shows at least this many days: a week alone would be a single point.
LINE_DAYS = 84


@dataclass(frozen=True, slots=True)
class Overview:
    """The statistics of one scope, as of a day."""

    scope: Scope
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
    """The parts that do not depend on the scope: all versions, any two of them on the same faces, how often
    people agree, the drift of the last 4 weeks, labels new to the champion, whether to retrain.

    `calibrations` are those that the champion learned from its audits, newest first.
    """

    champion: str
    versions: tuple[ComparedModel, ...]
    pairs: tuple[PairedComparison, ...]
    agreement: Agreement
    drift: Drift
    labels: NewLabels
    retrain: Advice
    calibrations: tuple[LearnedCalibration, ...]

    @property
    def audits(self) -> int:
        """How many audits were answered, over all time."""
        return sum(version.accuracy.n for version in self.versions)

    @property
    def own_audits(self) -> int:
        """How many of them are of the champion."""
        return sum(each.accuracy.n for each in self.versions if each.version == self.champion)


def scope_of(period: str, today: date, model_version: str | None = None, source: str | None = None) -> Scope:
    """The scope of a named period that ends today."""
    days = PERIODS[period]
    since = today - timedelta(days=days - 1) if days else None
    return Scope(since, today, model_version, source)


def compute_overview(
    statistics: StatisticsQueries,
    today: date,
    period: str = "week",
    model_version: str | None = None,
    source: str | None = None,
    step: str = "week",
) -> Overview:
    """Queries the records and computes the statistics of a scope. Raises RecordsError."""
    scope = scope_of(period, today, model_version, source)
    shown, since = scope, scope.since
    if since is not None:
        shown = replace(scope, since=min(since, today - timedelta(days=LINE_DAYS - 1)))
    days, audits, drawn = statistics.days(shown), statistics.audits(shown), statistics.drawn(shown)
    inside = tuple(day for day in days if since is None or day.day >= since)
    audited, before = audits.between(since), VisitorTally()
    if since is not None:  # the period of the same length before the scope
        until = since - timedelta(days=1)
        before = statistics.audits(replace(scope, since=until - (today - since), until=until)).tally()
    bins = audited.bins()
    return Overview(
        scope=scope,
        period=period,
        step=step,
        predictions=sum(day.n for day in inside),
        accuracy=accuracy(
            inside, statistics.answers(scope), audited.tally(), drawn.between(since).tally(), before
        ),
        line=tuple(line(days, audits.by_step(step, today), drawn.by_step(step, today), bins, today, step)),
        confusion=confusion(audited.cells(), audited.confused()),
        slices=tuple(slices(audited.groups())),
        calibration=calibration(bins),
        drift=_drift(statistics, scope, today),
        days=inside,
        plays=tuple(statistics.plays(scope)),
    )


def compute_model_status(
    statistics: StatisticsQueries, trainable: TrainableLabels, manifest: Manifest, today: date
) -> ModelStatus:
    """Queries the records for the status of the models; `manifest` is the champion's. Raises RecordsError."""
    champion, uses = manifest.version, statistics.versions()
    live_since = statistics.live_since(champion)
    if live_since and champion not in {use.version for use in uses}:
        uses.append(VersionUse(champion, "", live_since, None, 0, None))
    versions = side_by_side(uses, statistics.audits(Scope()).by_version())
    labels = new_labels(trainable, champion)
    lately = _drift(statistics, scope_of("4 weeks", today), today)
    return ModelStatus(
        champion=champion,
        versions=tuple(versions),
        pairs=tuple(paired(statistics.judged(), champion)),
        agreement=agreement(statistics.label_pairs(), champion),
        drift=lately,
        labels=labels,
        retrain=advice(
            audited=next((v.accuracy for v in versions if v.version == champion), share(0, 0)),
            promise=manifest.promised_accuracy,
            drift=lately,
            labels=labels.usable,
            suspects=labels.suspect_count,
            live_since=live_since.date() if live_since else None,
            today=today,
        ),
        calibrations=tuple(statistics.calibrations(champion)),
    )


def _drift(statistics: StatisticsQueries, scope: Scope, today: date) -> Drift:
    """The scope and the time before it; for all time, its last four weeks and the rest."""
    since, start = scope.since, None
    if since is None:
        since = today - timedelta(days=27)
    else:
        start = since - (today - since + timedelta(days=1)) * REFERENCE
    before, both = replace(scope, since=start, until=since - timedelta(days=1)), replace(scope, since=start)
    return drift(
        statistics.mix(replace(scope, since=since)),
        statistics.mix(before),
        recalibrated=statistics.recalibrated(both),
        replaced=statistics.models(both) > 1,
    )
