"""The models that made predictions here side by side, and any two of them on the same faces."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import combinations

import numpy as np

from vibecheck.analytics.calibration import Calibration, calibration
from vibecheck.analytics.shares import Share, over_visitors
from vibecheck.emotions import NAMES
from vibecheck.evaluation import evidence
from vibecheck.evaluation.compare import Comparison, compare
from vibecheck.evaluation.evidence import Settled
from vibecheck.records.labels import visitor_groups
from vibecheck.records.labels.judging_labels import JudgedReadings, JudgingLabel
from vibecheck.records.stats.results import VersionUse
from vibecheck.records.stats.visitor_tallies import Answers


@dataclass(frozen=True, slots=True)
class ComparedModel(VersionUse):
    """The use of a model, with its accuracy and calibration by audits."""

    accuracy: Share
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class SameFaces:
    """N labels that judge two models, and the models' answers and the truth as N indices of moods each."""

    labels: Sequence[JudgingLabel]
    champion: np.ndarray
    challenger: np.ndarray
    truth: np.ndarray

    def right(self) -> tuple[np.ndarray, np.ndarray]:
        """On which faces the champion, and the challenger, is right (N booleans each)."""
        return self.champion == self.truth, self.challenger == self.truth

    def units(self) -> list[str]:
        """The visitor, or the visit, of each face (N)."""
        return visitor_groups.units(self.labels)


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two models on the same faces; of `seen`, `first` is the champion and `second` the challenger."""

    first: str
    second: str
    seen: Comparison


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Of `n` labels of one group: how many only the challenger, or only the champion, got right."""

    name: str
    n: int
    won: int
    lost: int


def side_by_side(uses: Sequence[VersionUse], audits: Mapping[str, Answers]) -> list[ComparedModel]:
    """All models, newest first; `audits` are all of them, by version."""
    found = [(use, audits.get(use.version, Answers.of([]))) for use in reversed(uses)]
    return [
        ComparedModel(
            **asdict(use), accuracy=over_visitors(mine.tally()), calibration=calibration(mine.bins())
        )
        for use, mine in found
    ]


def paired(found: JudgedReadings, champion: str) -> list[PairedComparison]:
    """Any two models that read the same faces: first those with the champion, then by number of labels.

    In each pair, the one that is ahead comes second.
    """
    versions = sorted({version for said in found.said.values() for version in said})
    made = []
    for first, second in combinations(versions, 2):
        faces = same_faces(found, first, second)
        one, other = faces.right()
        if one.sum() > other.sum():
            first, second = second, first
            faces = replace(faces, champion=faces.challenger, challenger=faces.champion)
        if faces.labels:
            made.append(PairedComparison(first, second, compared(faces)))
    return sorted(made, key=lambda each: (champion not in (each.first, each.second), -each.seen.n))


def same_faces(
    found: JudgedReadings, champion: str, challenger: str, since: datetime | None = None
) -> SameFaces:
    """Two models on all labels that judge both; only those given after `since`."""
    labels = found.between(champion, challenger, since)
    first, second = (probabilities(found, labels, each).argmax(axis=1) for each in (champion, challenger))
    return SameFaces(labels, first, second, truth(labels))


def compared(faces: SameFaces, settled: Settled | None = None) -> Comparison:
    """The score of the two models; the evidence continues from the `settled` bets."""
    is_open = np.array([_is_open(each, settled) for each in faces.labels], bool)
    return compare(faces.champion, faces.challenger, faces.truth, faces.units(), settled, is_open)


def settle(faces: SameFaces, before: Settled | None, until: datetime) -> Settled:
    """Adds to the bets settled `before` those on vibe checks made up to `until`."""
    signs, units = [], []
    for each, unit, first, second in zip(faces.labels, faces.units(), *faces.right(), strict=True):
        if first != second and _is_open(each, before) and each.made_at <= until:
            signs.append(1 if second else -1)
            units.append(unit)
    return evidence.settle(signs, units, until, before)


def oldest_open(faces: SameFaces, settled: Settled | None) -> datetime | None:
    """When the oldest vibe check with an unsettled bet was made."""
    return min((each.made_at for each in faces.labels if _is_open(each, settled)), default=None)


def _is_open(label: JudgingLabel, settled: Settled | None) -> bool:
    return settled is None or label.made_at > settled.until


def scores_by(faces: SameFaces, of: Callable[[JudgingLabel], Iterable[str]]) -> list[GroupScore]:
    """The score in each group, most labels first; `of` gives the groups of a label."""
    signs: dict[str, list[int]] = defaultdict(list)
    for each, first, second in zip(faces.labels, *faces.right(), strict=True):
        for name in of(each):
            signs[name].append(int(second) - int(first))
    made = (GroupScore(name, len(group), group.count(1), group.count(-1)) for name, group in signs.items())
    return sorted(made, key=lambda each: (-each.n, each.name))


def probabilities(found: JudgedReadings, labels: Sequence[JudgingLabel], version: str) -> np.ndarray:
    """A model's readings of the faces with these labels, N x 7."""
    said = [found.said[each.prediction_id][version] for each in labels]
    return np.array(said, float).reshape(len(labels), len(NAMES))


def truth(labels: Sequence[JudgingLabel]) -> np.ndarray:
    """The labels as N indices of moods."""
    return np.array([NAMES.index(each.label) for each in labels], int)
