"""Many noisy frames → one steady mood.

Two things are kept apart. How probable each mood is now: a mean of the readings, in which a reading
fades with its age. Which mood is shown: it changes only when another has been ahead for a while.

It knows no clock, no video and no page: the times are given to it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vibecheck.emotions import NAMES
from vibecheck.vision.faces import Face, same_face

# The defaults, chosen by simulation. Readings were drawn round a true distribution at uneven times,
# 12 a second, each for itself (Dirichlet, concentration 6) / correlated over 0.3 s. Changes of the
# label a minute in a close call (neutral 0.36, sad 0.34), flips by a half-second blip (0.7 of another
# mood over 0.7 of the one shown), and the median time to show a true change (0.7 happy to 0.6 sad):
#
#     time constant, margin, hold      changes a minute    flips           change shown after
#     the largest of each reading         424 / 309        100% / 100%       0.04 / 0.04 s
#     0.4 s, 0,    0   (no hysteresis)    129 / 76         100% / 98%        0.32 / 0.34 s
#     0.4 s, 0.1,  0                       29 / 30          97% / 88%        0.40 / 0.42 s
#     0.4 s, 0,    0.5 s                   21 / 24          10% / 14%        0.79 / 0.78 s
#     0.4 s, 0.1,  0.5 s (these)            3 / 11           1% /  4%        0.86 / 0.87 s
#     0.2 s, 0.1,  0.5 s                    4 / 13          12% / 20%        0.66 / 0.67 s
#     0.6 s, 0.1,  0.5 s                    2 / 11           0% /  0%        1.07 / 1.07 s
#     0.4 s, 0.15, 0.5 s                    1 / 8            0% /  1%        0.91 / 0.95 s
#
# At 5 and 30 readings a second these show the change after 0.82 and 0.88 s. The last line's margin
# makes a change between two unsure moods slow (4.3 s in one case of twenty, against 3.5).
# A mean of logarithms, the other way to pool, lets one reading near 0 veto a mood for a second: it
# changed 8 / 15 times a minute, and a blip of 0.9 flipped it in 55% / 33% of cases against 8% / 19%.
# A mean of probabilities also stays as well calibrated as the readings are.
TIME_CONSTANT = 0.4  # s; after so long, a reading counts 1/e of what it did
MARGIN = 0.1  # by so much probability must another mood be ahead…
HOLD = 0.5  # …for so many seconds
FORGET = 1.0  # s without a reading, after which nothing is known

# A reading stands for the time since the one before it, but for no longer than this, or one noisy
# frame after a pause would outweigh all before the pause.
LONGEST_SPAN = 0.25  # s

# A frame that comes twice may have times that differ by rounding. No camera makes 1000 frames a second.
SAME_MOMENT = 0.001  # s


@dataclass(frozen=True, slots=True)
class Smoothed:
    """The steady mood. `confidence` is its entry in `probabilities`: smoothed, seven, summing to 1,
    in the order of EMOTIONS. While a change is being waited out, another entry may be larger.
    """

    mood: str
    confidence: float
    probabilities: tuple[float, ...]


class Smoother:
    """The mood of the face in one stream of readings. Not to be shared by threads.

    The probabilities are the exponentially weighted mean of p(i), read at t(i), at the time t of the
    newest reading, with T for the time constant:

        sum of w(i)·p(i) / sum of w(i),   w(i) = exp(-(t - t(i)) / T) · (1 - exp(-d(i) / T))

    with d(i) the time since the reading before: the moving average for uneven times of Eckner
    (2012, "next-point"), divided by the sum of the weights so far as Adam does (Kingma & Ba 2015,
    section 3). Without the division, the first reading, however noisy, would outweigh the others
    for a whole time constant. So what is shown depends on time, not on the rate of the frames.

    `time_constant`, `hold` and `forget` are in seconds, `margin` is a probability. A mood is shown
    from the first reading on. It gives way when others have been ahead of it by `margin` for `hold`
    seconds of readings; in the first `hold` seconds of a face, at once. A face that nothing was read
    of for `forget` seconds is forgotten, and another face (see `faces.same_face`) starts afresh.
    """

    def __init__(
        self,
        time_constant: float = TIME_CONSTANT,
        margin: float = MARGIN,
        hold: float = HOLD,
        forget: float = FORGET,
    ) -> None:
        if not (time_constant > 0 and 0 <= margin < 1 and hold >= 0 and forget > 0):
            raise ValueError(f"Not a smoother: {time_constant=} {margin=} {hold=} {forget=}")
        self.time_constant = time_constant
        self.margin = margin
        self.hold = hold
        self.forget = forget
        self._clock = -math.inf
        self._face: Face | None
        self._smoothed: Smoothed | None
        self._read_at: float
        self._start_afresh()

    def update(
        self, at: float, face: Face | None, probabilities: Sequence[float] | None = None
    ) -> Smoothed | None:
        """Take in what was seen at `at`, in seconds of a monotonic clock, and return the mood now.

        `face` is None if there was none; `probabilities` are seven that sum to 1, or None if the face
        was not read. What comes late or twice (no later than what came before) changes nothing.
        Returns None if no face was read in the last `forget` seconds. Raises ValueError for
        probabilities that are none, or without a face.
        """
        reading = None if probabilities is None else _checked(probabilities)
        if reading is not None and face is None:
            raise ValueError("Probabilities without a face")
        if not math.isfinite(at):
            raise ValueError(f"Not a time: {at}")
        if at - self._clock < SAME_MOMENT:
            return self._smoothed
        self._clock = at
        if at - self._read_at >= self.forget:
            self._start_afresh()
        if face is not None:
            if self._face is not None and not same_face(self._face, face):
                self._start_afresh()
            self._face = face
        if reading is not None:
            self._take(at, reading)
        return self._smoothed

    def _start_afresh(self) -> None:
        self._face = None
        self._read_at = math.inf  # so that nothing is too long ago
        self._mean = np.zeros(len(NAMES))
        self._weight = 0.0
        self._observed = 0.0  # seconds that the readings stand for, without the first
        self._behind = 0.0  # of them, the latest, in which the mood shown was behind
        self._smoothed = None

    def _take(self, at: float, reading: np.ndarray) -> None:
        if self._smoothed is None:
            self._read_at = at
            self._mean = reading
            self._show(int(reading.argmax()))
            return
        shown = NAMES.index(self._smoothed.mood)
        age = at - self._read_at
        span = min(age, LONGEST_SPAN)
        weight = -math.expm1(-span / self.time_constant)
        # What the first reading stands for is known only now: it is taken to be as long.
        before = (self._weight or weight) * math.exp(-age / self.time_constant)
        self._read_at = at
        self._weight = before + weight
        self._mean = self._mean + (reading - self._mean) * (weight / self._weight)
        self._show(self._mood_after(shown, span))

    def _mood_after(self, shown: int, span: float) -> int:
        """Which mood to show after `shown`, `span` seconds after the last time this was asked."""
        top = int(self._mean.argmax())
        settled = self._observed >= self.hold
        self._observed += span
        if self._mean[top] - self._mean[shown] < self.margin or top == shown:
            self._behind = 0.0
            return shown
        self._behind += span
        if settled and self._behind < self.hold:
            return shown
        self._behind = 0.0
        return top

    def _show(self, mood: int) -> None:
        probabilities = tuple(map(float, self._mean))
        self._smoothed = Smoothed(NAMES[mood], probabilities[mood], probabilities)


def _checked(probabilities: Sequence[float]) -> np.ndarray:
    """The probabilities as float64, summing to 1 exactly where float32 had it nearly."""
    reading = np.asarray(probabilities, dtype=np.float64)
    if reading.shape != (len(NAMES),) or not (reading >= 0).all() or not abs(reading.sum() - 1) < 1e-3:
        raise ValueError(f"Not {len(NAMES)} probabilities that sum to 1: {probabilities}")
    return reading / reading.sum()
