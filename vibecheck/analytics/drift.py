"""Input drift: moods, confidence and quality against a reference period.

The vibe checks of a visitor are alike, so days differ by more than independent ones would, and a plain
chi-squared test finds drift in most weeks of a small deployment. Here the difference between the periods is
compared with that between the days within each (overdispersion: McCullagh & Nelder 1989, section 4.5).
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.special import fdtrc

from vibecheck.analytics.shares import holm
from vibecheck.emotions import EMOTIONS
from vibecheck.records.stats.bins import CONFIDENCE, SIGNALS
from vibecheck.records.stats.results import Mix

# With many predictions every difference is significant; below this distance it is too small to matter.
# Moving a tenth of an even two-way split to the other side gives 0.07, a quarter 0.18.
NOTABLE = 0.1
SIGNIFICANCE = 0.01

MOODS = "Moods shown"

# With fewer predictions in either period, drift is not computed.
ENOUGH = 50


@dataclass(frozen=True, slots=True)
class Shift:
    """The shift of one signal. `names` are its bins, `now` and `before` their shares.

    `distance` is Jensen–Shannon's (base 2: 0 the same, 1 nothing in common); `p_value` that of an F test of
    the chi-squared statistic between the periods, corrected by Holm for the number of signals.
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


def drift(now: Mix, before: Mix, recalibrated: bool = False, replaced: bool = False) -> Drift:
    """The shift of every signal between two periods.

    Not of confidence if calibration changed it, and not of the model's answers if the model was `replaced`.
    """
    if min(now.n, before.n) < ENOUGH:
        return Drift(now.n, before.n, ())
    signals = []
    if not replaced:
        signals.append((MOODS, tuple(each.title for each in EMOTIONS), now.moods, before.moods))
    signals += [
        (s.title, s.names, now.signals[s.column], before.signals[s.column])
        for s in SIGNALS
        if not ((recalibrated or replaced) and s is CONFIDENCE)
    ]
    p_values = holm([_p_value(here, there) for _, _, here, there in signals])
    shifts = [
        Shift(title, names, _shares(here), _shares(there), _distance(here, there), p_value)
        for (title, names, here, there), p_value in zip(signals, p_values, strict=True)
    ]
    return Drift(now.n, before.n, tuple(sorted(shifts, key=lambda shift: -shift.distance)))


def _distance(here: np.ndarray, there: np.ndarray) -> float:
    # SciPy returns NaN where rounding makes the divergence of equal distributions negative.
    return float(np.nan_to_num(jensenshannon(here.sum(axis=0), there.sum(axis=0), base=2)))


def _p_value(here: np.ndarray, there: np.ndarray) -> float:
    periods = np.array([here.sum(axis=0), there.sum(axis=0)])
    kinds = np.count_nonzero(periods.sum(axis=0)) - 1
    freedom = kinds * sum(np.count_nonzero(each.sum(axis=1)) - 1 for each in (here, there))
    if not freedom:  # all the same; or one day each, which do not show how much days differ
        return 1.0
    dispersion = max(1.0, (_chi_squared(here) + _chi_squared(there)) / freedom)
    return float(fdtrc(kinds, freedom, _chi_squared(periods) / kinds / dispersion))


def _chi_squared(table: np.ndarray) -> float:
    """Pearson's statistic of a contingency table."""
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(((table - expected) ** 2 / np.maximum(expected, 1e-12)).sum())


def _shares(counts: np.ndarray) -> tuple[float, ...]:
    return tuple((counts.sum(axis=0) / counts.sum()).tolist())
