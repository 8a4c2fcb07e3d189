"""How the C library's allocator retains memory in this process. Only glibc's can be configured so."""

import ctypes
import sys

# Options of mallopt(3) and their values, which have to be set before threads start to allocate.
# By default, each thread may get a pool of its own (eight per core), and none reuses what another freed.
M_ARENA_MAX, ARENAS = -8, 2
# Larger blocks are mapped one by one, and go back to the system as soon as they are freed. By default, glibc
# raises this threshold up to 32 MB, so that uploads and decoded pictures leave holes in its pools.
M_MMAP_THRESHOLD, MAPPED_BYTES = -3, 2 * 1024 * 1024
# How much may be free at the end of a pool. Setting the threshold above fixes this at 128 kB, and live video
# would obtain and return memory for each frame.
M_TRIM_THRESHOLD, FREE_BYTES = -1, 8 * 1024 * 1024


def return_memory_early() -> None:
    """Have freed memory shared by threads, or returned to the system; does nothing without glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)
        mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
        mallopt(M_TRIM_THRESHOLD, FREE_BYTES)
