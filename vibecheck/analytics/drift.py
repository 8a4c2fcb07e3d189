"""Whether what comes in has changed: moods, confidence and quality against a reference time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency

from vibecheck.analytics.shares import holm
from vibecheck.emotions import EMOTIONS
from vibecheck.records.stats.bins import SIGNALS
from vibecheck.records.stats.results import Mix

# With many predictions every difference is more than noise; one under this distance is of no account.
# Moving a tenth of a fair two-way split to the other side gives 0.07, a quarter 0.18.
NOTABLE = 0.1
RARE = 0.01

# Fewer predictions than this on either side say nothing.
ENOUGH = 50


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one signal moved. `names` are its bins, `now` and `before` their shares.

    `distance` is Jensen–Shannon's (base 2: 0 the same, 1 nothing in common); `p_value` that of the
    chi-squared test, corrected by Holm for the number of signals. `worst` is the bin that grew most.
    """

    title: str
    names: tuple[str, ...]
    now: tuple[float, ...]
    before: tuple[float, ...]
    distance: float
    p_value: float

    @property
    def drifts(self) -> bool:
        """Whether it moved far, and by more than noise."""
        return self.distance >= NOTABLE and self.p_value < RARE

    @property
    def grown(self) -> int:
        """The bin whose share grew most."""
        return int(np.argmax(np.subtract(self.now, self.before)))


@dataclass(frozen=True, slots=True)
class Drift:
    """All signals, farthest first; without enough predictions on both sides there are none."""

    now: int
    before: int
    shifts: tuple[Shift, ...]

    @property
    def enough(self) -> bool:
        """Whether there were enough predictions to say anything."""
        return bool(self.shifts)

    @property
    def drifting(self) -> tuple[Shift, ...]:
        """The signals that drift."""
        return tuple(shift for shift in self.shifts if shift.drifts)


def drift(now: Mix, before: Mix) -> Drift:
    """What moved between two times."""
    if min(now.n, before.n) < ENOUGH:
        return Drift(now.n, before.n, ())
    signals = [("Moods shown", tuple(each.title for each in EMOTIONS), now.moods, before.moods)]
    signals += [(s.title, s.names, now.signals[s.column], before.signals[s.column]) for s in SIGNALS]
    p_values = holm([_p_value(here, there) for _, _, here, there in signals])
    shifts = [
        Shift(title, names, _shares(here), _shares(there), _distance(here, there), p_value)
        for (title, names, here, there), p_value in zip(signals, p_values, strict=True)
    ]
    return Drift(now.n, before.n, tuple(sorted(shifts, key=lambda shift: -shift.distance)))


def _distance(here: Sequence[int], there: Sequence[int]) -> float:
    # Rounding can take the distance of a mix to itself below 0, of which SciPy then makes a NaN.
    return float(np.nan_to_num(jensenshannon(here, there, base=2)))


def _p_value(here: Sequence[int], there: Sequence[int]) -> float:
    table = np.array([here, there])
    table = table[:, table.sum(axis=0) > 0]
    return float(chi2_contingency(table).pvalue) if table.shape[1] > 1 else 1.0


def _shares(counts: Sequence[int]) -> tuple[float, ...]:
    return tuple(float(share) for share in np.array(counts) / sum(counts))
