"""Whether a challenger is better than the champion: decided on labels that were requested at random.

People correct wrong answers and ignore right ones, so volunteered labels are mostly of the champion's
errors, and any other model looks better on them. Only labels count here that were requested at random
(audits, imports, the labellers' random queue), from people on whose pictures neither model was trained. Both
models answer the same faces, and only those on which one is right and the other wrong tell them apart: see
`evidence` for the test.

Labels that are random noise say nothing about either model, yet one of them may look better by luck. So the
challenger also has to agree with the labels far better than with shuffled ones.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Annotated

import numpy as np
from pydantic import AliasChoices, ConfigDict, Field, with_config
from scipy.special import ndtr, ndtri

from vibecheck.evaluation import evidence
from vibecheck.evaluation.proof import Verdict
from vibecheck.text.plurals import counted

# The challenger has to agree with the labels better than with shuffled ones, at this level.
SHUFFLED = 0.001
# Accuracy that may be lost on a reference set, as a share of its pictures.
MAY_LOSE = 0.01
POWER = 0.8
MOST_NEEDED = 1_000_000

Count = Annotated[int, Field(ge=0, le=10**9)]
Proportion = Annotated[float, Field(ge=0, le=1)]
SignedProportion = Annotated[float, Field(ge=-1, le=1)]
Evidence = Annotated[float, Field(ge=0, le=evidence.LARGEST)]


@with_config(ConfigDict(extra="ignore", allow_inf_nan=False))
@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same `n` pictures.

    `champion` and `challenger` are how many each got right; `won` how many only the challenger, `lost`
    how many only the champion. `evidence` is the highest E so far that the challenger is better (see
    `evidence`), None in reports of earlier versions. `p_shuffled` is the chance of so many correct answers
    of the challenger if the labels were shuffled. `low` and `high` bound the difference in accuracy.
    """

    n: Count
    champion: Count
    challenger: Count
    won: Count
    lost: Count
    evidence: Evidence | None = None
    p_shuffled: Annotated[Proportion, Field(validation_alias=AliasChoices("p_shuffled", "dealt"))] = 0.0
    low: SignedProportion = -1.0
    high: SignedProportion = 1.0

    def __post_init__(self) -> None:
        if self.challenger - self.champion != self.won - self.lost or self.won + self.lost > self.n:
            raise ValueError("the counts do not add up")

    @property
    def figures(self) -> tuple[int, int, int, float | None]:
        """Those that a `Proof` keeps, in its order."""
        return self.n, self.champion, self.challenger, self.evidence


def compare(
    champion: np.ndarray,
    challenger: np.ndarray,
    truth: np.ndarray,
    units: Sequence[Hashable] | None = None,
    settled: evidence.Settled | None = None,
    open_bets: np.ndarray | None = None,
) -> Comparison:
    """Two models' answers (N indices of moods each) against the truth (N), in the order of the labels.

    `units` (N) says whom each picture shows; None: each shows somebody else. `open_bets` (N booleans) says
    which pictures are not among the `settled` ones; None: all.
    """
    first, second = champion == truth, challenger == truth
    differ = np.flatnonzero(first != second).tolist()
    signs = [1 if second[i] else -1 for i in differ]
    whose = [i if units is None else units[i] for i in differ]
    low, high = _difference(len(truth), signs, whose)
    still = [open_bets is None or bool(open_bets[i]) for i in differ]
    return Comparison(
        n=len(truth),
        champion=int(first.sum()),
        challenger=int(second.sum()),
        won=signs.count(1),
        lost=signs.count(-1),
        evidence=evidence.highest(list(compress(signs, still)), list(compress(whose, still)), settled),
        p_shuffled=chance_if_shuffled(challenger, truth),
        low=low,
        high=high,
    )


def _difference(n: int, signs: Sequence[int], units: Sequence[Hashable]) -> tuple[float, float]:
    """Bounds of the difference in accuracy: those of the mean sign, times the share of decisive pictures."""
    if n == 0:
        return -1.0, 1.0
    from scipy.stats import binomtest  # takes half a second, and most processes compare nothing

    share = binomtest(len(signs), n).proportion_ci(method="wilson")
    low, high = evidence.interval(signs, units)
    return (
        low * float(share.high if low < 0 else share.low),
        high * float(share.high if high > 0 else share.low),
    )


def chance_if_shuffled(answers: np.ndarray, truth: np.ndarray) -> float:
    """Chance of this many correct answers if labels were shuffled (permutation test, normal approximation).

    1 where the labels or the answers are all the same, which shows nothing.
    """
    n, kinds = len(truth), int(max(answers.max(initial=0), truth.max(initial=0))) + 1
    said, true = (np.bincount(each, minlength=kinds).astype(float) for each in (answers, truth))
    if n < 2:
        return 1.0
    both = said * true
    mean = both.sum() / n
    pairs = both.sum() ** 2 - (both * (said + true - 1)).sum()
    variance = pairs / (n * (n - 1)) + mean - mean**2
    if variance < 1e-9:
        return 1.0
    return float(ndtr((mean + 0.5 - (answers == truth).sum()) / math.sqrt(variance)))


def veto(reference: Comparison | None) -> str:
    """Why the reference set forbids a promotion, in a sentence; empty if it does not."""
    if reference is None or reference.champion - reference.challenger <= MAY_LOSE * reference.n:
        return ""
    lost = (reference.champion - reference.challenger) / reference.n
    return f"It loses {lost:.1%} of the reference set of {counted(reference.n, 'picture')}; 1.0% is allowed."


def judge(held_out: Comparison, reference: Comparison | None = None, attempt: int = 1) -> Verdict:
    """Whether the challenger may go live.

    The evidence on the labels that judge has to reach the threshold of the `attempt`-th challenger of this
    champion, the challenger has to agree with them beyond chance, and it may lose at most one point of
    accuracy on the operator's reference set, where there is one.
    """
    if held_out.n == 0:
        return Verdict(False, "There are no labels yet that judge both models.", None)
    if refused := veto(reference):
        return Verdict(False, refused, None)
    threshold, reached = evidence.threshold(attempt), held_out.evidence or 0.0
    seen = (
        f"On {counted(held_out.n, 'label')} it got {held_out.challenger} right, the champion "
        f"{held_out.champion}; where they differ it won {held_out.won} and lost {held_out.lost} "
        f"(evidence {reached:.3g} of {threshold:.3g})"
    )
    if reached >= threshold:
        if held_out.p_shuffled <= SHUFFLED:
            return Verdict(True, f"Proved better. {seen}.", 0)
        reason = "Not proved: it agrees with these labels hardly more than chance would. Review them"
        return Verdict(False, f"{reason}, or wait for more. {seen}.", None)
    needed = more_labels(held_out, threshold)
    if needed is None:
        return Verdict(False, f"Not proved: it is not ahead. {seen}.", None)
    return Verdict(False, f"Not proved: about {counted(needed, 'more audit')} needed. {seen}.", needed)


def more_labels(seen: Comparison, threshold: float = evidence.FIRST) -> int | None:
    """How many more labels reach the threshold with a chance of 80%, if the observed difference is real.

    `seen` has not reached it. None where the challenger is not ahead, or too little to be proved within a
    million labels.
    """
    differ = seen.won + seen.lost
    if seen.won <= seen.lost:
        return None
    share, bets = seen.won / differ, _bets(seen)
    now = evidence.of_counts(share * bets, (1 - share) * bets)
    short = min(1.0, (seen.evidence or 1.0) / now)  # settled bets may have lost
    unlucky = -ndtri(POWER) * math.sqrt(share * (1 - share))  # of a root of their number

    def enough(more: int) -> bool:
        won = share * more + unlucky * math.sqrt(more)
        return evidence.of_counts(share * bets + won, (1 - share) * bets + more - won) * short >= threshold

    # Below the threshold now, so that once a number is enough, all larger ones are.
    more = 1 + bisect_left(range(1, MOST_NEEDED + 1), True, key=enough)
    return math.ceil(more * seen.n / bets) if more <= MOST_NEEDED else None


def _bets(seen: Comparison) -> int:
    """How many pictures, each of another visitor, would give the same evidence.

    That is fewer than the pictures on which the models differ if one visitor has several of them.
    """
    differ, reached = seen.won + seen.lost, (seen.evidence or 1.0) * (1 + 1e-6)
    share = seen.won / differ

    def evidence_of(bets: int) -> float:
        return evidence.of_counts(share * bets, (1 - share) * bets)

    if evidence_of(differ) <= reached:
        return differ
    return max(1, bisect_right(range(1, differ), reached, key=evidence_of))
