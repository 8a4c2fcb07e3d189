"""Learns a model's calibration from the audits of its answers, and decides whether to use it.

Confidence that is right on one mix of faces is wrong on another, so calibration belongs to a deployment. It
is a temperature (Guo et al. 2017, arXiv:1706.04599) and, from 200 audits on, a bias for each mood (Alexandari
et al. 2020, arXiv:1901.06852), fitted by penalised maximum likelihood: few audits move them little. Newer
audits weigh more.

Prequential likelihood (Dawid 1984) decides whether to use a fit: each audit is predicted by a fit to
those before it, and compared with its prediction by the calibration in use. The likelihood ratio is an
e-process (see `evaluation.evidence`): if the shipped calibration is right, it reaches 100 with a
probability of at most 1%, however often one looks. At 100 the fit is used; later fits replace it if they
predicted better.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from vibecheck.records.learned_calibration import LearnedScaling
from vibecheck.records.stats.bins import CONFIDENCE_BINS
from vibecheck.records.stats.visitor_tallies import numbered
from vibecheck.vision.temperature_scaling import (
    LARGEST_BIAS,
    SHIPPED,
    TemperatureScaling,
    logarithms,
    softmax,
)

FEWEST, FEWEST_FOR_BIAS = 50, 200  # audits
HALF_LIFE = 28.0  # days after which an audit has half its weight
ENOUGH_EVIDENCE = math.log(100)
FEWEST_LATER = 25  # audits since a calibration came into use, before it is replaced
# If a deployment has more visitors than this, none has more than this fraction of the weight.
AS_MANY_VISITORS = 30
# Standard deviations of the Gaussian priors on 1 / temperature, around 1, and on each bias, around 0.
INVERSE_SPREAD, BIAS_SPREAD = 0.5, 1.0
# 1 / temperature stays within these: with labels at random it would be 0 or below.
FLATTEST, SHARPEST = 0.1, 4.0
# The first fit is to so many audits; the next when there are a tenth more, and this many at least.
FIRST, STEP = 10, 10
# Newton's method ends when its steps are this short.
PRECISION, MOST_STEPS = 1e-4, 30


@dataclass(frozen=True, slots=True)
class Audited:
    """Answered audits of one model, oldest first.

    `probabilities` (N x 7) are the model's own, uncalibrated; `truth` (N) indices of moods; `day` (N) when
    each prediction was made, in days, nondecreasing; `visitors` (N) of whom.
    """

    probabilities: np.ndarray
    truth: np.ndarray
    day: np.ndarray
    visitors: Sequence[Hashable]

    def __len__(self) -> int:
        return len(self.truth)

    def weights(self) -> np.ndarray:
        """The weight of each, without that of its age: 1, or less if its visitor gave many."""
        who = numbered(self.visitors)
        of_each = np.bincount(who)
        most = len(self) / min(len(of_each), AS_MANY_VISITORS)
        return np.minimum(1.0, most / of_each)[who]


def fit(
    probabilities: np.ndarray,
    truth: np.ndarray,
    weights: np.ndarray,
    with_bias: bool,
    near: TemperatureScaling = SHIPPED,
) -> TemperatureScaling:
    """The scaling of uncalibrated N x 7 probabilities with the highest posterior density.

    `truth` are N indices of moods, each of which counts `weights` (N) times. The search begins at `near`.
    """
    logs, moods = logarithms(probabilities), probabilities.shape[1]
    answers = np.eye(moods)[truth]
    size = 1 + moods * with_bias
    centre = np.r_[1.0, np.zeros(moods)]
    precision = np.r_[INVERSE_SPREAD**-2.0, np.full(moods, BIAS_SPREAD**-2.0)]

    def loss_of(at: np.ndarray) -> float:
        """The negative logarithm of the posterior density at these parameters, up to a constant."""
        logits = at[0] * logs + at[1:]
        top = logits.max(axis=1)
        normaliser = top + np.log(np.exp(logits - top[:, np.newaxis]).sum(axis=1))
        penalty = precision @ (at - centre) ** 2 / 2
        return float(weights @ (normaliser - (answers * logits).sum(axis=1)) + penalty)

    at = np.r_[1 / near.temperature, near.bias]  # 1 / temperature, then the biases
    loss = loss_of(at)
    for _ in range(MOST_STEPS):
        said = softmax(at[0] * logs + at[1:])
        expected = (said * logs).sum(axis=1)
        slope = np.r_[
            weights @ (expected - (answers * logs).sum(axis=1)), weights @ (said - answers)
        ] + precision * (at - centre)
        curve = np.diag(precision)
        curve[0, 0] += weights @ ((said * logs**2).sum(axis=1) - expected**2)
        curve[0, 1:] += weights @ (said * (logs - expected[:, np.newaxis]))
        curve[1:, 0] = curve[0, 1:]
        curve[1:, 1:] += np.diag(weights @ said) - (said * weights[:, np.newaxis]).T @ said
        step = np.zeros(1 + moods)
        step[:size] = np.linalg.solve(curve[:size, :size], slope[:size])
        # The loss is convex, so repeated halving makes the step short enough.
        while (shorter := loss_of(at - step)) > loss + 1e-9:
            step /= 2
        at, loss = at - step, shorter
        if np.abs(step).max() < PRECISION:
            break
    inverse = float(np.clip(at[0], FLATTEST, SHARPEST))
    # Many audits that all name the same mood ask for more than may be applied.
    return TemperatureScaling(1 / inverse, tuple(map(float, np.clip(at[1:], -LARGEST_BIAS, LARGEST_BIAS))))


def learn(
    audited: Audited, today: float, in_use: TemperatureScaling = SHIPPED, since: float = -math.inf
) -> LearnedScaling | None:
    """The calibration to use instead of `in_use`, or None if none is proved better.

    `today` is now, and `since` when `in_use` came into use, in days as in `audited`. Only audits after that
    are evidence against it. The shipped model itself is a candidate, too: it may be right by now.
    """
    if len(audited) < FEWEST:
        return None
    weights = audited.weights()
    predicted, scaling = _walk(audited, weights, today)
    later = np.arange(len(audited)) >= FIRST
    losses = _losses(predicted, audited.truth)
    shipped = _losses(SHIPPED.apply(audited.probabilities), audited.truth)
    used = _losses(in_use.apply(audited.probabilities), audited.truth)
    since_then = later & (audited.day > since)
    if since_then.sum() < FEWEST_LATER:
        return None
    counts = weights * since_then
    # Once a calibration is proved to be needed, a later fit only has to have predicted better than it.
    enough = ENOUGH_EVIDENCE if in_use == SHIPPED else 0.0
    candidates = [
        (counts @ (used - losses), enough, scaling),
        (counts @ (used - shipped), ENOUGH_EVIDENCE, SHIPPED),
    ]
    proved = [(evidence, each) for evidence, needed, each in candidates if evidence > needed]
    if not proved:
        return None
    _, chosen = max(proved, key=lambda each: each[0])
    counts = weights * later
    with_it = predicted if chosen is scaling else audited.probabilities
    return LearnedScaling(
        temperature=chosen.temperature,
        bias=chosen.bias,
        n=len(audited),
        later=int(later.sum()),
        loss_before=float(counts @ shipped / counts.sum()),
        loss_after=float(counts @ _losses(with_it, audited.truth) / counts.sum()),
        error_before=calibration_error(audited.probabilities, audited.truth, counts),
        error_after=calibration_error(with_it, audited.truth, counts),
    )


def _walk(audited: Audited, weights: np.ndarray, today: float) -> tuple[np.ndarray, TemperatureScaling]:
    """Each audit (N x 7) as predicted by a fit to those before it, and the fit to all of them.

    The first are uncalibrated. The bias is used while it has predicted better than the temperature alone.
    """
    probabilities, truth = audited.probabilities, audited.truth
    predicted = probabilities.copy()

    def fitted(n: int, now: float, with_bias: bool, near: TemperatureScaling) -> TemperatureScaling:
        """The fit to the first `n` audits, as of the day `now`."""
        age = np.maximum(now - audited.day[:n], 0.0)  # the clock may have been set back
        recent = 0.5 ** (age / HALF_LIFE)
        return fit(probabilities[:n], truth[:n], weights[:n] * recent, with_bias, near)

    lead, at, plain, biased = 0.0, FIRST, SHIPPED, SHIPPED
    while at < len(audited):
        until = min(len(audited), at + max(STEP, at // 10))
        block, now = slice(at, until), audited.day[at - 1]
        plain = fitted(at, now, False, plain)
        predicted[block] = plain.apply(probabilities[block])
        if at >= FEWEST:
            biased = fitted(at, now, True, biased)
            by_biased = biased.apply(probabilities[block])
            won = _losses(predicted[block], truth[block]) - _losses(by_biased, truth[block])
            if at >= FEWEST_FOR_BIAS and lead > 0:
                predicted[block] = by_biased
            lead += weights[block] @ won
        at = until
    with_bias = len(audited) >= FEWEST_FOR_BIAS and lead > 0
    return predicted, fitted(len(audited), today, with_bias, biased if with_bias else plain)


def _losses(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The loss of each case, in nats."""
    return -logarithms(probabilities)[np.arange(len(truth)), truth]


def calibration_error(
    probabilities: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Expected calibration error of the top label, 0 to 1, in 15 equal bins (Guo et al. 2017).

    `probabilities` is N x 7, `truth` N indices; `weights`, N, count a case for more or less than one.
    """
    weights = np.ones(len(truth)) if weights is None else weights
    confidence = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == truth) - confidence
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    return float(np.abs(np.bincount(bins, weights * gap)).sum() / weights.sum())
