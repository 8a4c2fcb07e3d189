"""How often a challenger that is truly worse, equal or better would go live, by which labels judge it.

Simulated users, as in DESIGN's account of why feedback alone lies: they label 70% of the champion's wrong
answers and 15% of the right ones, while audits ask at random.
"""

import numpy as np

from vibecheck.evaluation.compare import compare, judge

MOODS = 7
CHAMPION = 0.6
LABELS_WRONG, LABELS_RIGHT = 0.7, 0.15


def run(runs: int = 200, labels: int = 300, seed: int = 0) -> list[dict]:
    """A row for each true difference: the share of runs in which the challenger is promoted."""
    rng = np.random.default_rng(seed)
    rows = []
    for difference in (-0.05, 0.0, 0.05, 0.1):
        promoted = {"higher on volunteered": 0, "proved on volunteered": 0, "proved on audits": 0}
        for _ in range(runs):
            champion, challenger, truth = _answers(rng, CHAMPION + difference, 20 * labels)
            wrong = champion != truth
            spoke = rng.random(len(truth)) < np.where(wrong, LABELS_WRONG, LABELS_RIGHT)
            volunteered = np.flatnonzero(spoke)[:labels]
            seen = compare(champion[volunteered], challenger[volunteered], truth[volunteered])
            promoted["higher on volunteered"] += seen.challenger > seen.champion
            promoted["proved on volunteered"] += judge(seen).proved
            audits = slice(0, labels)
            audited = compare(champion[audits], challenger[audits], truth[audits])
            promoted["proved on audits"] += judge(audited).proved
        rows.append({"truly better by": difference} | {how: n / runs for how, n in promoted.items()})
    return rows


def _answers(rng: np.random.Generator, accuracy: float, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two models' answers and the truth; on four pictures of five they are right or wrong together."""
    truth = rng.integers(0, MOODS, n)
    luck = rng.random(n)
    own = np.where(rng.random(n) < 0.8, luck, rng.random(n))
    champion = np.where(luck < CHAMPION, truth, (truth + rng.integers(1, MOODS, n)) % MOODS)
    challenger = np.where(own < accuracy, truth, (truth + rng.integers(1, MOODS, n)) % MOODS)
    return champion, challenger, truth
