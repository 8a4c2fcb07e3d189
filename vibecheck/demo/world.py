"""Simulates the vibe checks of a synthetic history as arrays: visitors, times, and the model's answers.

The simulated model is a Gaussian classifier. Each mood is a point, similar moods lie close together, and a
check observes the point of the true mood plus noise. The probabilities are the posterior given that
observation, so they are calibrated by construction, and then miscalibrated on purpose: the model does not
know how dark or how turned the face was, and each version is slightly overconfident.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy.special import softmax

from vibecheck.emotions import NAMES

VERSIONS = ("demo-1", "demo-2", "demo-3")
LIVE_FROM = (0.0, 0.38, 0.72)  # when each went live, as a fraction of the period
SKILL = np.array([1.6, 2.0, 2.4])  # distance of the moods' points, in standard deviations of the noise
OVERCONFIDENCE = np.array([1.3, 1.15, 1.05])  # factor of the logits
LATENCY_MS = np.array([13.0, 19.0, 17.0])

DRIFT_FROM = 0.9  # from this fraction on people sit in the dark, further away, and smile less

# Prior of the moods in the order of EMOTIONS, and the cosine similarity of how they look.
PRIOR = np.array([0.09, 0.03, 0.05, 0.36, 0.27, 0.12, 0.08])
SIMILARITY = {
    ("angry", "disgust"): 0.55,
    ("fear", "surprise"): 0.6,
    ("neutral", "sad"): 0.55,
    ("angry", "neutral"): 0.35,
    ("angry", "sad"): 0.25,
    ("fear", "sad"): 0.3,
    ("happy", "neutral"): 0.15,
    ("happy", "surprise"): 0.15,
}

WEEKDAYS = np.array([0.9, 0.9, 0.95, 1.0, 1.25, 1.3, 1.1])
HOURS = np.array([6, 3, 2, 1, 1, 2, 5, 12, 16, 14, 13, 15, 22, 18, 14, 15, 18, 24, 30, 34, 36, 32, 22, 12])

CHECKS_A_VISIT = 2.4
CHECKS_A_VISITOR = 9
AUDIT_SHARE = 0.25
ANSWERED = 0.35  # of the audits
VOLUNTEERED = (0.02, 0.14)  # of the other right, and wrong, answers


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to simulate: `checks` in the `days` before `until`, at most `pictures` of them with a picture.

    The same plan always gives the same history.
    """

    until: datetime
    seed: int = 1
    days: int = 150
    checks: int = 20_000
    pictures: int = 1_500


@dataclass(frozen=True, slots=True)
class World:
    """The simulated checks, one row each, oldest first. `at` is in s since 1970, `truth` indexes EMOTIONS."""

    at: np.ndarray
    visitor: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray
    version: np.ndarray
    light: np.ndarray
    blur: np.ndarray
    size: np.ndarray
    yaw: np.ndarray
    roll: np.ndarray
    latency_ms: np.ndarray
    audit: np.ndarray
    answered: np.ndarray
    kept: np.ndarray


def make(plan: Plan) -> World:
    """Simulates what the plan says."""
    rng = np.random.default_rng(plan.seed)
    at, visit, first = _times(plan, rng)
    visits = visit[-1] + 1
    start = plan.until.timestamp() - plan.days * 86400
    progress = (at - start) / (plan.days * 86400)
    drift = np.clip((progress - DRIFT_FROM) / (1 - DRIFT_FROM) * 3, 0, 1)
    hour, weekday = _clock(at)

    people = max(3, plan.checks // CHECKS_A_VISITOR)
    visitor = _visitors(progress[first], people, rng)[visit]
    truth = _moods(visit, visitor, people, hour, weekday, drift, rng)

    def personal(spread: Callable[[int], np.ndarray]) -> np.ndarray:
        return spread(people)[visitor] + 0.6 * spread(visits)[visit]

    night = (hour < 7) | (hour > 20)
    light = 128 + personal(lambda n: rng.normal(0, 24, n)) - 28 * night - 45 * drift
    light = np.clip(light + rng.normal(0, 8, len(at)), 20, 245)
    size = np.exp(5.05 + personal(lambda n: rng.normal(0, 0.38, n)) - 0.5 * drift)
    blur = np.exp(4.6 + personal(lambda n: rng.normal(0, 0.55, n)) - 0.7 * (light < 60))
    yaw = np.clip(rng.standard_t(3, len(at)) * 8, -60, 60)
    roll = np.clip(rng.standard_t(4, len(at)) * 5, -45, 45)

    version = np.searchsorted(LIVE_FROM, progress, side="right") - 1
    harder = np.where(light < 60, 0.6, 1) * np.where(size < 64, 0.65, 1)
    harder *= np.where(np.abs(yaw) > 25, 0.6, 1) * np.where(blur < 25, 0.75, 1)
    probabilities = _posterior(truth, SKILL[version] * harder, SKILL[version], OVERCONFIDENCE[version], rng)

    wrong = probabilities.argmax(axis=1) != truth
    audit = rng.random(len(at)) < AUDIT_SHARE
    willing = np.where(audit, ANSWERED, np.take(VOLUNTEERED, wrong.astype(int)))
    return World(
        at=at,
        visitor=visitor,
        truth=truth,
        probabilities=probabilities,
        version=version,
        light=light,
        blur=np.clip(blur, 4, 4000),
        size=np.clip(size, 24, 620),
        yaw=yaw,
        roll=roll,
        latency_ms=LATENCY_MS[version] * rng.lognormal(0, 0.25, len(at)),
        audit=audit,
        answered=rng.random(len(at)) < willing,
        kept=_kept(visitor, people, plan.pictures, rng),
    )


def _times(plan: Plan, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The time of each check, the visit it belongs to, and the first check of each visit.

    Visits are drawn by the hour: more in the evening, at weekends, and as time goes by.
    """
    lengths = np.minimum(rng.geometric(1 / CHECKS_A_VISIT, plan.checks), 8)
    lengths = lengths[: np.searchsorted(np.cumsum(lengths), plan.checks) + 1]
    lengths[-1] -= lengths.sum() - plan.checks
    # Hours before the end. Visits begin at least ten minutes before it, so that all are over by then.
    hours = np.arange(1, plan.days * 24)
    end = plan.until.timestamp() - 600
    hour, weekday = _clock(end - hours * 3600)
    weight = HOURS[hour] * WEEKDAYS[weekday] * np.linspace(1.5, 0.6, len(hours))
    ago = rng.choice(hours, len(lengths), p=weight / weight.sum()) - rng.random(len(lengths))
    begin = np.sort(end - ago * 3600)
    visit = np.repeat(np.arange(len(lengths)), lengths)
    first = np.cumsum(lengths) - lengths
    gaps = 8 + rng.exponential(20, plan.checks).clip(max=60)
    gaps[first] = 0
    since = np.cumsum(gaps)
    at = begin[visit] + since - since[first][visit]
    order = np.argsort(at, kind="stable")
    return at[order], visit[order], np.argsort(order)[first]


def _clock(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hour and weekday (Monday is 0) of seconds since 1970, in UTC; that began on a Thursday."""
    return (at // 3600 % 24).astype(int), ((at // 86400 + 3) % 7).astype(int)


def _visitors(progress: np.ndarray, people: int, rng: np.random.Generator) -> np.ndarray:
    """The visitor of each visit: a few regulars, and others who come for a while and then stay away."""
    regulars = max(1, people // 30)
    passing = rng.normal(progress * people, people * 0.06)
    passing = np.abs(passing).astype(int) % people
    return np.where(rng.random(len(progress)) < 0.3, rng.integers(0, regulars, len(progress)), passing)


def _moods(
    visit: np.ndarray,
    visitor: np.ndarray,
    people: int,
    hour: np.ndarray,
    weekday: np.ndarray,
    drift: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """The true mood of each check, by visitor, hour, weekday and drift; half of the time it lasts a visit."""
    logits = np.log(PRIOR) + rng.normal(0, 0.5, (people, len(NAMES)))[visitor]
    effects = (
        ("happy", 0.35 * (hour >= 17) + 0.3 * (weekday >= 4) - 0.8 * drift),
        ("neutral", 0.3 * (hour < 11) + 0.5 * drift),
        ("angry", 0.4 * (weekday == 0)),
        ("sad", 0.5 * ((hour >= 22) | (hour < 4)) + 0.6 * drift),
        ("surprise", 0.3 * (weekday >= 5)),
    )
    for name, effect in effects:
        logits[:, NAMES.index(name)] += effect
    # Gumbel-max trick: argmax(logits + Gumbel noise) is a draw from softmax(logits).
    noise = rng.gumbel(size=logits.shape)
    lasting = rng.gumbel(size=(visit[-1] + 1, len(NAMES)))[visit]
    stays = rng.random(len(visit)) < 0.5
    return (logits + np.where(stays[:, np.newaxis], lasting, noise)).argmax(axis=1)


def _posterior(
    truth: np.ndarray,
    skill: np.ndarray,
    believed: np.ndarray,
    overconfidence: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Seven probabilities a check: the posterior given a noisy observation of the true mood's point.

    `skill` is the distance of the points in this picture, `believed` the distance the model assumes.
    """
    points = _points()
    seen = skill[:, np.newaxis] * points[truth] + rng.normal(size=(len(truth), len(NAMES)))
    logits = np.log(PRIOR) + believed[:, np.newaxis] * (seen @ points.T)
    return softmax(logits * overconfidence[:, np.newaxis], axis=1)


def _points() -> np.ndarray:
    """The seven moods as unit vectors with the cosine similarities of SIMILARITY."""
    cosines = np.eye(len(NAMES))
    for (one, other), cosine in SIMILARITY.items():
        i, j = NAMES.index(one), NAMES.index(other)
        cosines[i, j] = cosines[j, i] = cosine
    return np.linalg.cholesky(cosines)


def _kept(visitor: np.ndarray, people: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Which pictures are kept: those of one visitor in five, at most `most`."""
    said_yes = np.flatnonzero((rng.random(people) < 0.2)[visitor])
    kept = np.zeros(len(visitor), bool)
    kept[rng.permutation(said_yes)[:most]] = True
    return kept
