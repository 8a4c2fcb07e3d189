"""How the C library's allocator retains freed memory in this process. Only glibc has options for this."""

import ctypes
import sys

_glibc = ctypes.CDLL(None) if sys.platform == "linux" else None
_mallopt, _trim = getattr(_glibc, "mallopt", None), getattr(_glibc, "malloc_trim", None)

# Options of mallopt(3) and their values.
# By default there are up to eight pools per core, and memory freed in one cannot be reused by the others.
M_ARENA_MAX, ARENAS = -8, 2
# Larger blocks are mapped separately and returned to the system as soon as they are freed. By default, glibc
# raises this threshold to as much as 32 MB, and freed uploads and pictures leave gaps in the pools.
M_MMAP_THRESHOLD, MAPPED_BYTES = -3, 2 * 1024 * 1024
# How much may be free at the end of a pool. Setting the threshold above fixes this at 128 kB, and live video
# would obtain and return memory for each frame.
M_TRIM_THRESHOLD, FREE_BYTES = -1, 8 * 1024 * 1024


def retain_less() -> None:
    """Have freed memory shared by threads, or returned to the system. To be called before threads start."""
    if _mallopt is not None:
        _mallopt(M_ARENA_MAX, ARENAS)
        _mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
        _mallopt(M_TRIM_THRESHOLD, FREE_BYTES)


def trim() -> None:
    """Return what is free now to the system; each thread would retain about 30 MB of a large picture."""
    if _trim is not None:
        _trim(0)
