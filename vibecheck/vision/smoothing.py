"""Many noisy frames → one steady distribution, from which the mood is read.

The distribution is the mean of the readings of the last second or so. It is shown as it is, unless that
would change the headline: then it is moved, within a margin, to where the headline stays the same. So the
headline is always the largest bar, and a close call does not flicker.
"""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from vibecheck.emotions import CLEAR_LEAD, CLEAR_PROBABILITY, NAMES, Distribution
from vibecheck.vision.faces import Face, same_face

# Chosen by simulation: noisy readings of a known distribution at uneven times, 12 a second, independent
# (Dirichlet, concentration 6) / correlated over 0.3 s, as in the tests. Per minute of a close call (neutral
# 0.36, sad 0.34): changes of the mood, and of the headline with its "Hard to tell: neutral or sad?". Flips of
# the mood by a half-second blip (0.7 of another mood over 0.7). Median time until a true change (0.7 happy to
# 0.6 sad) is shown.
#
#     window, margin               mood a minute   headline a minute   flips         shown after
#     the largest of each reading     442 / 317           569 / 499     100% / 100%   0.05 / 0.05 s
#     1.2 s, 0                         74 /  45           153 / 107      16% / 26%    0.66 / 0.67 s
#     1.2 s, 0.18 (these)               3 /  10            21 /  33       0% /  2%    0.84 / 0.86 s
#     1.0 s, 0.18                       5 /  12            28 /  39       4% / 10%    0.70 / 0.72 s
#     1.5 s, 0.18                       1 /   7            15 /  25       0% /  0%    1.05 / 1.08 s
#
# A mean of logarithms lets one reading near 0 veto a mood; one of probabilities also stays as well calibrated
# as the readings are.
WINDOW = 1.2  # s of readings that are averaged
MARGIN = 0.18  # lead of another mood at which the headline changes
FORGET = 1.0  # s without a reading, after which the face is forgotten

# A reading stands for the time since the one before it, but for at most this long; otherwise one noisy
# frame after a pause would outweigh all readings before it.
LONGEST_SPAN = 0.25  # s

# The times of a frame that arrives twice may differ by rounding. No camera takes 1000 frames a second.
SAME_MOMENT = 0.001  # s

# A value that is moved to a threshold goes this far past it, so that rounding to 4 decimals changes nothing.
EDGE = 0.001


class Smoother:
    """The distribution of the face in one stream of readings. Not to be shared by threads.

    Each reading weighs as much as the time since the reading before it, as far as that lies within WINDOW, so
    the result does not depend on the frame rate.

    What is shown keeps its headline (see `emotions.Distribution`) as follows; else it is the mean itself.

    - The mood stays until another leads it by `margin`. Until then its probability is raised to the largest.
    - A clear mood stays clear until it is below the thresholds by `margin` in its lead, or half of that in
      its probability. Until then it is raised to them.
    - While it is hard to tell, the runner-up stays until another leads it by half of `margin`.

    Raising means mixing with certainty: all others shrink in proportion. No probability of the mood shown is
    moved by more than `margin`, and on average by 0.02 in a close call and 0.00 in a clear case.

    `margin` is a probability. A face of which nothing was read for FORGET is forgotten, and another face (see
    `faces.same_face`) starts afresh.
    """

    def __init__(self, margin: float = MARGIN) -> None:
        self.margin = margin
        self._clock = -math.inf
        self._readings: deque[tuple[float, float, np.ndarray]] = deque()  # at, seconds it stands for, what
        self._face: Face | None = None
        self._shown: Distribution | None = None

    def update(
        self, at: float, face: Face | None, probabilities: Sequence[float] | None = None
    ) -> Distribution | None:
        """Add what was seen at `at`, in seconds of a monotonic clock, and return what to show now.

        `face` is None if there was none; `probabilities` are seven that sum to 1, or None if the face
        was not read. What comes late or twice (no later than what came before) changes nothing.
        Returns None if no face was read within FORGET. Raises ValueError for
        invalid probabilities, or for probabilities without a face.
        """
        reading = None if probabilities is None else _checked(probabilities)
        if reading is not None and face is None:
            raise ValueError("Probabilities without a face")
        if not math.isfinite(at):
            raise ValueError(f"Not a time: {at}")
        if at - self._clock < SAME_MOMENT:
            return self._shown
        if self._readings and at - self._readings[-1][0] >= FORGET:
            self.reset()
        if face is not None:
            if self._face is not None and not same_face(self._face, face):
                self.reset()
            self._face = face
        self._clock = at
        if reading is not None:
            self._add(at, reading)
            self._shown = Distribution.of(self._steady(self._mean(at)).tolist())
        return self._shown

    def reset(self) -> None:
        """Forget what was read: the next reading is the first of its face, at any time."""
        self._clock = -math.inf
        self._readings.clear()
        self._face = self._shown = None

    def _add(self, at: float, reading: np.ndarray) -> None:
        span = math.inf  # the first stands for as long as the second, which is not known yet
        if self._readings:
            before, its_span, first = self._readings[-1]
            span = min(at - before, LONGEST_SPAN)
            if its_span == math.inf:
                self._readings[-1] = (before, span, first)
        self._readings.append((at, span, reading))
        while self._readings[0][0] <= at - WINDOW:
            self._readings.popleft()

    def _mean(self, at: float) -> np.ndarray:
        if len(self._readings) == 1:
            return self._readings[0][2]
        weights = [min(span, taken - (at - WINDOW)) for taken, span, _ in self._readings]
        return np.array(weights) @ np.array([reading for *_, reading in self._readings]) / sum(weights)

    def _steady(self, mean: np.ndarray) -> np.ndarray:
        """The mean, or the distribution near it that has the same headline as the one shown."""
        if self._shown is None:
            return mean
        mood, runner_up = NAMES.index(self._shown.mood), NAMES.index(self._shown.runner_up)
        lead = _lead(mean, mood)
        if lead <= -self.margin:
            return mean
        clear_lead, clear_probability = CLEAR_LEAD - self.margin, CLEAR_PROBABILITY - self.margin / 2
        if self._shown.clear and lead > clear_lead and mean[mood] > clear_probability:
            return _raised(mean, mood, CLEAR_LEAD + EDGE, CLEAR_PROBABILITY + EDGE)
        shown = mean
        if not self._shown.clear and _lead(mean, runner_up, apart_from=mood) > -self.margin / 2:
            shown = _raised(mean, runner_up, EDGE, apart_from=mood)
        return _raised(shown, mood, EDGE)


def _lead(p: np.ndarray, mood: int, apart_from: int | None = None) -> float:
    """The mood's lead over the largest of the others."""
    others = [share for other, share in enumerate(p) if other not in (mood, apart_from)]
    return float(p[mood] - max(others))


def _raised(
    p: np.ndarray, mood: int, lead: float, least: float = 0.0, apart_from: int | None = None
) -> np.ndarray:
    """The distribution mixed with just enough certainty of a mood to give it this lead and probability.

    The lead is over all others but `apart_from`.
    """
    has, now = _lead(p, mood, apart_from), p[mood]
    share = max(
        (lead - has) / (1 - has) if has < lead else 0.0, (least - now) / (1 - now) if now < least else 0.0
    )
    return p * (1 - share) + share * np.eye(len(p))[mood]


def _checked(probabilities: Sequence[float]) -> np.ndarray:
    """The probabilities as float64, rescaled from float32 precision to sum to exactly 1."""
    reading = np.asarray(probabilities, dtype=np.float64)
    if reading.shape != (len(NAMES),) or not (reading >= 0).all() or not abs(reading.sum() - 1) < 1e-3:
        raise ValueError(f"Not {len(NAMES)} probabilities that sum to 1: {probabilities}")
    return reading / reading.sum()
