"""How the C library's allocator retains freed memory in this process. Only glibc's can be told."""

import ctypes
import sys

_glibc = ctypes.CDLL(None) if sys.platform == "linux" else None
_mallopt, _trim = getattr(_glibc, "mallopt", None), getattr(_glibc, "malloc_trim", None)

# Options of mallopt(3) and their values.
# By default, each thread may get a pool of its own (eight per core), and none reuses what another freed.
M_ARENA_MAX, ARENAS = -8, 2
# Larger blocks are mapped one by one, and go back to the system as soon as they are freed. By default, glibc
# raises this threshold up to 32 MB, so that uploads and decoded pictures leave holes in its pools.
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
