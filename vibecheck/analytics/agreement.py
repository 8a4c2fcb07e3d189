"""How often people agree about faces: the benchmark for accuracy.

Computed from faces whose mood two labellers named, neither knowing the other's or the model's answer (see
`records/labels/second_labels.py`). As in accuracy, each visitor has one vote, however often their face was
labelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from vibecheck.analytics.shares import ALPHA, Share, fisher, holm, over_visitors
from vibecheck.emotions import NAMES
from vibecheck.records.stats.results import LabelPair
from vibecheck.records.stats.visitor_tallies import numbered, tally_of

# With fewer faces the interval of the share would be wider than ±18 points.
ENOUGH_PAIRS = 30


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's κ, the agreement beyond chance (0: chance, 1: always), with a 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outlier:
    """A labeller who agrees with others less often than the others do among themselves.

    `labeller` is the hashed id that their labels carry, `theirs` the share of their faces on which the other
    labeller agreed, `others` that of all faces that they did not label.
    """

    labeller: str
    theirs: Share
    others: Share


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often labellers agree, and how often the model agrees with them on the same faces.

    `of_champion`: these are the faces that the champion read; else there are too few of them, and they are
    all faces, whichever model read them. Of one face, `model` is the share of the two labels that are the
    model's mood. `kappa` is None where it is not defined: if everybody always names the same mood.
    """

    labellers: Share
    kappa: Kappa | None
    model: Share
    of_champion: bool
    outliers: tuple[Outlier, ...] = ()

    @property
    def missing(self) -> int:
        """How many more faces the figures need."""
        return max(0, ENOUGH_PAIRS - self.labellers.n)

    @property
    def ceiling(self) -> float | None:
        """The share on which labellers agree, once there are enough faces."""
        return None if self.missing else self.labellers.value


def agreement(pairs: Sequence[LabelPair], champion: str) -> Agreement:
    """How often people agree, by pairs of labels."""
    of_champion = [pair for pair in pairs if pair.model_version == champion]
    chosen = of_champion if len(of_champion) >= ENOUGH_PAIRS else pairs
    # Each face counts twice here, once with each label, so that its visitor's shares are right.
    both = [(pair, label) for pair in chosen for label in (pair.first_label, pair.second_label)]
    return Agreement(
        labellers=_agreed(chosen),
        kappa=kappa(chosen),
        model=_over_visitors([(pair.visitor, pair.mood == label) for pair, label in both]),
        of_champion=chosen is of_champion,
        outliers=tuple(outliers(pairs)),
    )


def kappa(pairs: Sequence[LabelPair]) -> Kappa | None:
    """Cohen's κ (1960) of the first and the second labels, each visitor with one vote.

    The variance is that of Fleiss, Cohen & Everitt (1969), by the delta method, over visitors instead of
    faces, and the interval that of Student's t. Without variance between visitors, it is the interval of the
    share of agreement, at the chance agreement found.
    """
    if not pairs:
        return None
    who = numbered(pair.visitor for pair in pairs)
    visitors = int(who.max()) + 1
    tables = np.zeros((visitors, len(NAMES), len(NAMES)))
    for number, pair in zip(who, pairs, strict=True):
        tables[number, NAMES.index(pair.first_label), NAMES.index(pair.second_label)] += 1
    tables /= tables.sum(axis=(1, 2), keepdims=True)
    mean = tables.mean(axis=0)
    first, second = mean.sum(axis=1), mean.sum(axis=0)
    observed, chance = float(np.trace(mean)), float(first @ second)
    if chance >= 1:
        return None
    value = (observed - chance) / (1 - chance)
    # The influence of each visitor: its mean is 0, and the variance of κ is that of its mean.
    theirs = np.trace(tables, axis1=1, axis2=2)
    by_chance = (tables * (second[:, None] + first[None, :])).sum(axis=(1, 2))
    influence = ((theirs - observed) * (1 - chance) - (1 - observed) * (by_chance - 2 * chance)) / (
        1 - chance
    ) ** 2
    spread = float(np.sqrt((influence**2).sum() / visitors / (visitors - 1))) if visitors > 1 else 0.0
    if spread > 1e-9:
        half = float(stdtrit(visitors - 1, 0.975)) * spread
        return Kappa(value, max(-1.0, value - half), min(1.0, value + half))
    agreed = _agreed(pairs)
    low, high = ((edge - chance) / (1 - chance) for edge in (agreed.low, agreed.high))
    return Kappa(value, max(-1.0, low), high)


def outliers(pairs: Sequence[LabelPair]) -> list[Outlier]:
    """Labellers who agree with the others significantly less often than those among themselves, worst first.

    Fisher's exact test, one-sided, corrected for the number of labellers (Holm 1979). It takes three
    labellers: of two who disagree, nobody knows which one is wrong.
    """
    found, p_values = [], []
    for labeller in sorted({labeller for pair in pairs for labeller in (pair.first_by, pair.second_by)}):
        mine = [pair for pair in pairs if labeller in (pair.first_by, pair.second_by)]
        rest = [pair for pair in pairs if labeller not in (pair.first_by, pair.second_by)]
        if rest:
            theirs, others = _agreed(mine), _agreed(rest)
            p_values.append(fisher(theirs.k, theirs.n, others.k, others.n, "less"))
            found.append(Outlier(labeller, theirs, others))
    flagged = [each for each, p in zip(found, holm(p_values), strict=True) if p < ALPHA]
    return sorted(flagged, key=lambda each: (each.theirs.value or 0.0, each.labeller))


def _agreed(pairs: Sequence[LabelPair]) -> Share:
    return _over_visitors([(pair.visitor, pair.agree) for pair in pairs])


def _over_visitors(answers: Sequence[tuple[str, bool]]) -> Share:
    who = numbered(visitor for visitor, _ in answers)
    return over_visitors(tally_of(who, np.array([right for _, right in answers], dtype=bool)))
