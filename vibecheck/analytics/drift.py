"""Input drift: moods, confidence and quality against a reference period."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import jensenshannon

from vibecheck.analytics.shares import holm
from vibecheck.emotions import EMOTIONS
from vibecheck.records.stats.bins import CONFIDENCE, SIGNALS
from vibecheck.records.stats.results import Mix

# With many predictions every difference is significant; below this distance it is too small to matter.
# Moving a tenth of an even two-way split to the other side gives 0.07, a quarter 0.18.
NOTABLE = 0.1
SIGNIFICANCE = 0.01

# With fewer predictions in either period, drift is not computed.
ENOUGH = 50


@dataclass(frozen=True, slots=True)
class Shift:
    """The shift of one signal. `names` are its bins, `now` and `before` their shares.

    `distance` is Jensen–Shannon's (base 2: 0 the same, 1 nothing in common); `p_value` that of the
    chi-squared test, corrected by Holm for the number of signals.
    """

    title: str
    names: tuple[str, ...]
    now: tuple[float, ...]
    before: tuple[float, ...]
    distance: float
    p_value: float

    @property
    def drifts(self) -> bool:
        """Whether the distance is notable and significant."""
        return self.distance >= NOTABLE and self.p_value < SIGNIFICANCE

    @property
    def grown(self) -> int:
        """The bin whose share grew most."""
        return int(np.argmax(np.subtract(self.now, self.before)))


@dataclass(frozen=True, slots=True)
class Drift:
    """All signals, largest distance first; none without enough predictions in both periods."""

    now: int
    before: int
    shifts: tuple[Shift, ...]

    @property
    def drifting(self) -> tuple[Shift, ...]:
        """The signals that drift."""
        return tuple(shift for shift in self.shifts if shift.drifts)


def drift(now: Mix, before: Mix, recalibrated: bool = False) -> Drift:
    """The shift of every signal between two periods; not of confidence where calibration changed it."""
    if min(now.n, before.n) < ENOUGH:
        return Drift(now.n, before.n, ())
    signals = [("Moods shown", tuple(each.title for each in EMOTIONS), now.moods, before.moods)]
    signals += [
        (s.title, s.names, now.signals[s.column], before.signals[s.column])
        for s in SIGNALS
        if not (recalibrated and s is CONFIDENCE)
    ]
    p_values = holm([_p_value(here, there) for _, _, here, there in signals])
    shifts = [
        Shift(title, names, _shares(here), _shares(there), _distance(here, there), p_value)
        for (title, names, here, there), p_value in zip(signals, p_values, strict=True)
    ]
    return Drift(now.n, before.n, tuple(sorted(shifts, key=lambda shift: -shift.distance)))


def _distance(here: Sequence[int], there: Sequence[int]) -> float:
    # SciPy returns NaN where rounding makes the divergence of equal distributions negative.
    return float(np.nan_to_num(jensenshannon(here, there, base=2)))


def _p_value(here: Sequence[int], there: Sequence[int]) -> float:
    from scipy.stats import chi2_contingency  # takes half a second, and most processes test nothing

    table = np.array([here, there])
    table = table[:, table.sum(axis=0) > 0]
    return float(chi2_contingency(table).pvalue) if table.shape[1] > 1 else 1.0


def _shares(counts: Sequence[int]) -> tuple[float, ...]:
    return tuple(float(share) for share in np.array(counts) / sum(counts))
