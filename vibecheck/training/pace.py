"""How much longer training runs take on this machine than estimated: by past runs, else by its load."""

import os
import statistics
from collections.abc import Sequence

# Past runs that are considered, the latest first.
LATEST = 5
# Training has the lowest priority, but is never quite starved.
LEAST_SHARE = 0.25


def pace(past: Sequence[tuple[float, float]], threads: int, cores: int, load: float | None = None) -> float:
    """The factor by which to multiply an estimate for an idle machine.

    `past` are runs on this machine as (estimated, taken) minutes, the latest first; their median ratio is the
    factor. Without any it follows from the `load` (default: average of the last minute): training gets the
    cores that others leave, and at most `threads` of them.
    """
    ratios = [taken / estimated for estimated, taken in past[:LATEST] if estimated > 0 and taken > 0]
    if ratios:
        return statistics.median(ratios)
    if load is None:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    left = min(threads, max(cores - load, LEAST_SHARE * threads))
    return threads / left
