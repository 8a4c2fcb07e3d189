"""Whether a challenger is better than the champion: decided on labels that neither of them steered.

People correct wrong answers and pass over right ones, so the labels that a champion's visitors volunteer
are mostly of its errors, and any other model looks better on them. Only labels count here that were
asked for without looking at an answer (audits, imports, the labellers' random queue), of people whose
pictures were never trained on. Both models answer the same pictures, and only those matter on which one
is right and the other wrong: were they equally good, each would win half of them (McNemar's test, exact
and one-sided; McNemar 1947, Fagerland et al. 2013, doi:10.1186/1471-2288-13-91).

Labels that were given at random say nothing about either model, and by luck one of them may still look
better on them. So the challenger has to agree with the labels far beyond what chance would do.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm

SIGNIFICANCE = 0.05
POWER = 0.8
# So rarely may labels that are dealt out at random agree as much with the challenger.
DEALT = 0.001
# Accuracy that may be lost on a reference set, as a share of its pictures.
MAY_LOSE = 0.01


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same `n` pictures.

    `champion` and `challenger` are how many each got right; `won` how many only the challenger, `lost`
    how many only the champion. `p` is the chance of so many wins or more were both equally good;
    `dealt` that of so many right answers of the challenger were the labels dealt out anew at random.
    """

    n: int
    champion: int
    challenger: int
    won: int
    lost: int
    p: float
    dealt: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """`proved`, and in a sentence why or why not. `needed` is about how many more such labels it would
    take to prove what was seen, if it is true; None where the challenger is not ahead."""

    proved: bool
    reason: str
    needed: int | None


def compare(champion: np.ndarray, challenger: np.ndarray, truth: np.ndarray) -> Comparison:
    """Two models' answers (N indices of moods each) against the truth (N)."""
    first, second = champion == truth, challenger == truth
    won, lost = int((second & ~first).sum()), int((first & ~second).sum())
    p = float(binomtest(won, won + lost, 0.5, alternative="greater").pvalue) if won + lost else 1.0
    dealt = dealt_at_random(challenger, truth)
    return Comparison(len(truth), int(first.sum()), int(second.sum()), won, lost, p, dealt)


def dealt_at_random(answers: np.ndarray, truth: np.ndarray) -> float:
    """The chance of so many right answers were the labels dealt out anew, as many of each as there are.

    By the mean and the variance of that number, and the normal distribution. 1 where the labels or the
    answers are all the same, which tells nothing.
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
    return float(norm.sf(((answers == truth).sum() - 0.5 - mean) / math.sqrt(variance)))


def judge(held_out: Comparison, reference: Comparison | None = None) -> Verdict:
    """May the challenger go live?

    It has to be better on the held-out labels (p at most 0.05), agree with them beyond chance, and, where
    the operator gives a reference set of labelled pictures, lose no more than one point of accuracy on it.
    """
    if held_out.n == 0:
        return Verdict(False, "There are no held-out labels yet that were asked for at random.", None)
    if reference is not None and reference.champion - reference.challenger > MAY_LOSE * reference.n:
        lost = (reference.champion - reference.challenger) / reference.n
        reason = f"It loses {lost:.1%} of the reference set of {reference.n} pictures; 1.0% is allowed."
        return Verdict(False, reason, None)
    seen = (
        f"On {held_out.n} held-out labels it got {held_out.challenger} right, the champion "
        f"{held_out.champion}; where they differ it won {held_out.won} and lost {held_out.lost} "
        f"(p = {held_out.p:.3g})"
    )
    if held_out.p <= SIGNIFICANCE and held_out.dealt > DEALT:
        reason = "Not proved: it agrees with these labels hardly more than chance would. Look at them"
        return Verdict(False, f"{reason}, or wait for more. {seen}.", None)
    if held_out.p <= SIGNIFICANCE:
        return Verdict(True, f"Proved better. {seen}.", 0)
    needed = more_labels(held_out)
    if needed is None:
        return Verdict(False, f"Not proved: it is not ahead. {seen}.", None)
    return Verdict(False, f"Not proved: about {needed} more audits needed. {seen}.", needed)


def more_labels(seen: Comparison) -> int | None:
    """How many labels more would prove, with a chance of 80%, a difference as large as was seen.

    None where the challenger is not ahead. The sample size of McNemar's test by Connor (1987,
    doi:10.2307/2531961), one-sided.
    """
    ahead = (seen.won - seen.lost) / seen.n if seen.n else 0.0
    if ahead <= 0:
        return None
    differ = (seen.won + seen.lost) / seen.n
    alpha, beta = norm.isf(SIGNIFICANCE), norm.isf(1 - POWER)
    size = (alpha * math.sqrt(differ) + beta * math.sqrt(max(differ - ahead**2, 0))) ** 2 / ahead**2
    return max(1, math.ceil(size) - seen.n)
