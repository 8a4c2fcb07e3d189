"""The models that made predictions here side by side, and any two of them on the same faces."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations

import numpy as np

from vibecheck.analytics.calibration import Calibration, calibration
from vibecheck.analytics.shares import Share, over_visitors
from vibecheck.emotions import NAMES
from vibecheck.evaluation import evidence
from vibecheck.evaluation.compare import Comparison, compare
from vibecheck.evaluation.settled import Settled
from vibecheck.records.labels import visitors
from vibecheck.records.labels.judging import JudgedReadings, JudgingLabel
from vibecheck.records.stats.results import Bin, Group, VersionUse, VisitorTally


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """One model: its days, its number of predictions, accuracy, calibration, and mean latency in ms."""

    name: str
    origin: str
    first_day: date
    last_day: date | None
    predictions: int
    accuracy: Share
    calibration: Calibration
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two models on the same faces; of `seen`, `first` is the champion and `second` the challenger."""

    first: str
    second: str
    seen: Comparison


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Of `n` labels with something in common: those that only the challenger, or only the champion, got."""

    name: str
    n: int
    won: int
    lost: int


def side_by_side(
    uses: Sequence[VersionUse], groups: Sequence[Group], bins: Sequence[Bin]
) -> list[ComparedModel]:
    """All models, newest first; `groups` and `bins` are all their audits, by version."""
    tallies = {group.name: group.tally for group in groups if group.what == "model_version"}
    result = []
    for use in reversed(uses):
        mine = [each for each in bins if each.model_version == use.version]
        result.append(
            ComparedModel(
                name=use.version,
                origin=use.origin,
                first_day=use.first_used_at.date(),
                last_day=use.last_day,
                predictions=use.n,
                accuracy=over_visitors(tallies.get(use.version, VisitorTally())),
                calibration=calibration(mine),
                latency_ms=use.latency_ms,
            )
        )
    return result


def paired(found: JudgedReadings, champion: str) -> list[PairedComparison]:
    """Any two models that read the same faces: first those with the champion, then by number of labels.

    Of each pair, the one that is ahead comes second.
    """
    versions = sorted({version for said in found.said.values() for version in said})
    made = [
        pair if pair.seen.won >= pair.seen.lost else compared(found, second, first)
        for first, second in combinations(versions, 2)
        if (pair := compared(found, first, second)).seen.n
    ]
    return sorted(made, key=lambda each: (champion not in (each.first, each.second), -each.seen.n))


def compared(
    found: JudgedReadings,
    champion: str,
    challenger: str,
    since: datetime | None = None,
    settled: Settled | None = None,
) -> PairedComparison:
    """Two models on all labels that judge both; only those given after `since`.

    The evidence goes on from the bets that are `settled`, whose labels may be deleted by now.
    """
    labels = found.between(champion, challenger, since)
    units = visitors.units(labels)
    seen = compare(
        probabilities(found, labels, champion).argmax(axis=1),
        probabilities(found, labels, challenger).argmax(axis=1),
        truth(labels),
        [units[each.prediction_id] for each in labels],
        settled,
        np.array([_is_open(each, settled) for each in labels], bool),
    )
    return PairedComparison(champion, challenger, seen)


def settle(
    found: JudgedReadings,
    champion: str,
    challenger: str,
    since: datetime | None,
    before: Settled | None,
    until: datetime,
) -> Settled:
    """Adds to the bets settled `before` those on vibe checks made up to `until`."""
    labels = found.between(champion, challenger, since)
    units = visitors.units(labels)
    due = [each for each in labels if _is_open(each, before) and each.made_at <= until]
    right = [
        probabilities(found, due, version).argmax(axis=1) == truth(due) for version in (champion, challenger)
    ]
    signs = right[1].astype(int) - right[0]
    differ = np.flatnonzero(signs)
    return evidence.settle(
        signs[differ].tolist(), [units[due[i].prediction_id] for i in differ], until, before
    )


def oldest_open(
    found: JudgedReadings, champion: str, challenger: str, since: datetime | None, settled: Settled | None
) -> datetime | None:
    """When the oldest vibe check was made whose bet is not settled."""
    labels = found.between(champion, challenger, since)
    return min((each.made_at for each in labels if _is_open(each, settled)), default=None)


def _is_open(label: JudgingLabel, settled: Settled | None) -> bool:
    return settled is None or label.made_at > settled.until


def scores_by(
    found: JudgedReadings, pair: PairedComparison, of: Callable[[JudgingLabel], Iterable[str]]
) -> list[GroupScore]:
    """The score of a pair in each group that `of` puts a label in, most labels first."""
    labels = found.between(pair.first, pair.second)
    right = [
        probabilities(found, labels, version).argmax(axis=1) == truth(labels)
        for version in (pair.first, pair.second)
    ]
    counts: dict[str, list[int]] = {}
    for each, first, second in zip(labels, *right, strict=True):
        for name in of(each):
            count = counts.setdefault(name, [0, 0, 0])
            count[0] += 1
            count[1] += bool(second and not first)
            count[2] += bool(first and not second)
    made = (GroupScore(name, *count) for name, count in counts.items())
    return sorted(made, key=lambda each: (-each.n, each.name))


def probabilities(found: JudgedReadings, labels: Sequence[JudgingLabel], version: str) -> np.ndarray:
    """What a model said of the faces with these labels, N x 7."""
    said = [found.said[each.prediction_id][version] for each in labels]
    return np.array(said, float).reshape(len(labels), len(NAMES))


def truth(labels: Sequence[JudgingLabel]) -> np.ndarray:
    """The labels as N indices of moods."""
    return np.array([NAMES.index(each.label) for each in labels], int)
