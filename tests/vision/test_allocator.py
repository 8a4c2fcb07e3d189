import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from vibecheck.vision import allocator

# What glibc says of itself after eight threads have allocated at once, and a block of 30 MB was freed.
CHILD = """
import ctypes, sys, threading
from vibecheck.vision.allocator import retain_less
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
if sys.argv[1] == "less":
    retain_less()
together = threading.Barrier(8)
def work():
    together.wait()
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.free(libc.malloc(30_000_000))
kept = [libc.malloc(5_000_000) for _ in range(10)]
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def _state(how: str) -> tuple[int, int]:
    """The allocator's pools, and the blocks that will go back to the system once freed."""
    told = subprocess.run(
        [sys.executable, "-c", CHILD, how], capture_output=True, text=True, check=True, timeout=60
    )
    root = ET.fromstring(told.stdout)
    (mapped,) = root.findall("total[@type='mmap']")
    return len(root.findall("heap")), int(mapped.get("count", "0"))


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_threads_share_two_pools_and_large_blocks_go_back_to_the_system():
    pools, mapped = _state("default")
    assert pools > 2 and mapped < 10  # the fault that this test is about
    pools, mapped = _state("less")
    assert pools == 2 and mapped >= 10


def test_other_allocators_are_left_alone(monkeypatch):
    monkeypatch.setattr(allocator, "_mallopt", None)
    monkeypatch.setattr(allocator, "_trim", None)
    allocator.retain_less()
    allocator.trim()
