"""How much longer training runs take on this machine than estimated: by past runs, else by its load."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Past runs that are considered, the latest first.
LATEST = 5
# Training has the lowest priority, but always gets some CPU time.
LEAST_SHARE = 0.25
# Two loads count as similar if they differ by no more than this share of the cores.
ALIKE = 0.5


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run on this machine: minutes as estimated for an idle one, minutes taken, and the load when it began.

    The load is None where it was not noted.
    """

    estimated: float
    taken: float
    load: float | None = None


def pace(past: Sequence[PastRun], threads: int, cores: int, load: float) -> float:
    """The factor by which to multiply an estimate for an idle machine.

    It is the median of the latest `past` runs (the latest first) that began at a similar load. Without any
    it follows from the `load`: training gets the cores that others leave, and at most `threads` of them.
    """
    alike = [
        run.taken / run.estimated
        for run in past
        if run.estimated > 0 and run.taken > 0 and (run.load is None or abs(run.load - load) <= ALIKE * cores)
    ]
    if alike:
        return statistics.median(alike[:LATEST])
    left = min(threads, max(cores - load, LEAST_SHARE * threads))
    return threads / left
