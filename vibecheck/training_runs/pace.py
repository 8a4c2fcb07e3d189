"""How much longer training runs take on this machine than estimated: by past runs, else by its load."""

import statistics
from collections.abc import Sequence

# Past runs that are considered, the latest first.
LATEST = 5
# Training has the lowest priority, but always gets some CPU time.
LEAST_SHARE = 0.25
# Two loads count as similar if they differ by no more than this share of the cores.
ALIKE = 0.5


def pace(past: Sequence[tuple[float, float | None]], threads: int, cores: int, load: float) -> float:
    """The factor by which to multiply an estimate for an idle machine.

    `past` are the factors of past runs, the latest first, with the load when each began (None where it was
    not noted). It is the median of the latest that began at a similar load. Without any it follows from the
    `load`: training gets the cores that others leave, and at most `threads` of them.
    """
    alike = [each for each, then in past if then is None or abs(then - load) <= ALIKE * cores]
    if alike:
        return statistics.median(alike[:LATEST])
    left = min(threads, max(cores - load, LEAST_SHARE * threads))
    return threads / left
