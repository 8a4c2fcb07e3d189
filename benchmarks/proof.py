"""How often a worse, equal or better challenger is proved, by kind of label and by test (simulated).

Users volunteer labels for 70% of the champion's wrong answers and 15% of the right ones; audits are requested
at random. The tests: `vibecheck.evaluation.evidence` with a look after every label, and an exact McNemar test
at 5% with a single look at the end or a look every 25 labels.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from scipy.special import bdtrc, ndtri

from vibecheck.evaluation import evidence
from vibecheck.evaluation.compare import compare

MOODS = 7
CHAMPION = 0.6
# Of the pictures, this share is equally hard for both models: they are right or wrong together.
TOGETHER = 0.8
LABELS_WRONG, LABELS_RIGHT = 0.7, 0.15
LOOKS = 25
# Clustered visitors: labels a visitor, and the correlation of wins within one.
CLUSTER, WITHIN = 5, 0.5
INTERVALS = 5  # one run in so many has its interval computed
TRIED = 5  # equal challengers, one after another
NEVER = datetime.max.replace(tzinfo=UTC)
DIFFERENCES = (-0.05, -0.02, 0.0, 0.05, 0.1)


def run(runs: int = 1000, labels: int = 300, seed: int = 0) -> list[dict]:
    """A row for each true difference in accuracy: the share of runs in which each rule finds a proof."""
    rng = np.random.default_rng(seed)
    rows = []
    for difference in DIFFERENCES:
        found: dict[str, float] = defaultdict(float)
        for number in range(runs):
            champion, challenger, truth = _answers(rng, CHAMPION + difference, 20 * labels)
            wrong = champion != truth
            spoke = rng.random(len(truth)) < np.where(wrong, LABELS_WRONG, LABELS_RIGHT)
            signs = _signs(champion, challenger, truth)
            volunteered, audits = signs[np.flatnonzero(spoke)[:labels]], signs[:labels]
            found["higher accuracy, volunteered labels"] += volunteered.sum() > 0
            found["proved, volunteered labels"] += _proved(volunteered)
            found["proved, audits"] += _proved(audits)
            found["proved, audits, clustered visitors"] += _clustered(rng, difference, labels)
            found["McNemar at 5%, single look"] += _mcnemar(audits)
            looks = range(LOOKS, labels + 1, LOOKS)
            found[f"McNemar at 5%, every {LOOKS} labels"] += any(_mcnemar(audits[:look]) for look in looks)
            if number % INTERVALS == 0:
                seen = compare(champion[:labels], challenger[:labels], truth[:labels])
                found["interval coverage"] += INTERVALS * (seen.low <= difference <= seen.high)
        rows.append({"true difference": difference} | {how: n / runs for how, n in found.items()})
    return rows


def labels_needed(runs: int = 400, seed: int = 1) -> list[dict]:
    """The labels needed to prove a true difference in 80% of runs, by each test."""
    rng = np.random.default_rng(seed)
    rows = []
    for difference in (0.05, 0.1):
        most, reached = 3000, []
        for _ in range(runs):
            signs = _signs(*_answers(rng, CHAMPION + difference, most))
            reached.append(next(_first_proof(signs), most))
        share = _differing(difference)
        ahead, size = difference, -ndtri(0.05) * share**0.5 - ndtri(0.2) * (share - difference**2) ** 0.5
        rows.append(
            {
                "true difference": difference,
                "labels at 80% power": int(np.quantile(reached, 0.8)),
                "labels on average": round(float(np.mean(reached))),
                "labels at 80% power, McNemar, single look": round((size / ahead) ** 2),
            }
        )
    return rows


def one_after_another(runs: int = 1000, labels: int = 300, seed: int = 2) -> dict:
    """How often any of several equal challengers is proved, with and without the rising threshold.

    Also together with an equal embedded model, which always has the threshold of the first challenger.
    """
    rng = np.random.default_rng(seed)
    ruled = unruled = beside = 0
    for _ in range(runs):
        found = []
        for _ in range(TRIED):
            signs = _signs(*_answers(rng, CHAMPION, labels))
            decided = signs[signs != 0].tolist()
            found.append(evidence.highest(decided, range(len(decided))))
        proved = any(each >= evidence.threshold(k) for k, each in enumerate(found, 1))
        ruled += proved
        beside += proved or _proved(_signs(*_answers(rng, CHAMPION, labels)))
        unruled += any(each >= evidence.threshold(1) for each in found)
    return {
        "equal challengers tried": TRIED,
        "any proved": ruled / runs,
        "any proved, or the embedded model": beside / runs,
        "any proved, each at E ≥ 20": unruled / runs,
    }


def over_years(runs: int = 1000, labels: int = 300, periods: int = 4, seed: int = 3) -> dict:
    """How often an equal challenger is proved in several periods after which labels are deleted.

    Twelve looks a period. Once with bets settled as in `models/promotion.py`, and once without, where each
    look sees the labels of one period alone.
    """
    rng = np.random.default_rng(seed)
    deciding = round(_differing(0.0) * labels)
    step = deciding // 12
    kept = forgotten = 0
    for _ in range(runs):
        signs = rng.choice([-1, 1], deciding * periods).tolist()
        settled, begin, ever, again = None, 0, False, False
        for end in range(step, len(signs) + 1, step):
            ever |= evidence.highest(signs[begin:end], range(begin, end), settled) >= evidence.FIRST
            first = max(0, end - deciding)
            again |= evidence.highest(signs[first:end], range(first, end)) >= evidence.FIRST
            if end - begin > deciding // 2:
                until = end - deciding // 4
                settled = evidence.settle(signs[begin:until], range(begin, until), NEVER, settled)
                begin = until
        kept += ever
        forgotten += again
    return {
        "periods of retention": periods,
        "any proved": kept / runs,
        "any proved, if deleted labels were forgotten": forgotten / runs,
    }


def returning(runs: int = 400, visitors: int = 100, labels: int = 10, seed: int = 4) -> dict:
    """How often an equal challenger is proved where all visitors return, and the models differ each time."""
    rng = np.random.default_rng(seed)
    whose = np.tile(np.arange(visitors), labels).tolist()
    proved = sum(
        evidence.highest(rng.choice([-1, 1], len(whose)).tolist(), whose) >= evidence.FIRST
        for _ in range(runs)
    )
    return {"visitors": visitors, "deciding labels of each": labels, "proved": proved / runs}


def _proved(signs: np.ndarray) -> bool:
    decided = signs[signs != 0].tolist()
    return evidence.highest(decided, range(len(decided))) >= evidence.FIRST


def _first_proof(signs: np.ndarray) -> Iterator[int]:
    """After how many labels the evidence suffices."""
    decided = np.flatnonzero(signs)
    for place, found in zip(
        decided, evidence.over_time(signs[decided].tolist(), range(len(decided))), strict=True
    ):
        if found >= evidence.FIRST:
            yield int(place) + 1


def _signs(champion: np.ndarray, challenger: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """+1 where only the challenger is right, -1 where only the champion is, else 0."""
    return (challenger == truth).astype(int) - (champion == truth)


def _mcnemar(signs: np.ndarray) -> bool:
    won, differ = int((signs > 0).sum()), int((signs != 0).sum())
    return bool(differ and bdtrc(won - 1, differ, 0.5) <= 0.05)


def _differing(difference: float) -> float:
    """The share of pictures on which one of the two models is right, as `_answers` makes them."""
    other = CHAMPION + difference
    together = abs(difference)
    alone = CHAMPION * (1 - other) + other * (1 - CHAMPION)
    return TOGETHER * together + (1 - TOGETHER) * alone


def _clustered(rng: np.random.Generator, difference: float, labels: int) -> bool:
    """Visitors who are asked several times, and on each of whom one model tends to be the better one."""
    visitors = labels // CLUSTER
    differing = _differing(difference)
    mean = (differing + difference) / (2 * differing)
    spread = (1 - WITHIN) / WITHIN
    wins = rng.beta(mean * spread, (1 - mean) * spread, visitors)
    who = rng.permutation(np.repeat(np.arange(visitors), CLUSTER))
    who = who[rng.random(len(who)) < differing]
    signs = np.where(rng.random(len(who)) < wins[who], 1, -1)
    return evidence.highest(signs.tolist(), who.tolist()) >= evidence.FIRST


def _answers(rng: np.random.Generator, accuracy: float, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two models' answers and the truth; on four pictures of five they are right or wrong together."""
    truth = rng.integers(0, MOODS, n)
    luck = rng.random(n)
    own = np.where(rng.random(n) < TOGETHER, luck, rng.random(n))
    champion = np.where(luck < CHAMPION, truth, (truth + rng.integers(1, MOODS, n)) % MOODS)
    challenger = np.where(own < accuracy, truth, (truth + rng.integers(1, MOODS, n)) % MOODS)
    return champion, challenger, truth
