"""A limit on how many large pictures and videos this process decodes and searches at the same time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from vibecheck.vision import allocator

# Each takes up to 200 MB and a core for two seconds; live video needs the rest of the machine.
SLOTS = 2
# Smaller pictures are decoded without a slot: they take only 4 MB.
SMALL_PIXELS = 1_000_000
# Larger pictures than this are decoded one at a time. Most phone photos have 12 megapixels.
LARGE_PIXELS = 16_000_000
# s; how often a waiting caller is notified, and may give up
TELL_EVERY = 0.5

_slots = threading.BoundedSemaphore(SLOTS)
# A video takes one of the slots for up to a minute, so that the other stays free for pictures.
_video_slot = threading.BoundedSemaphore(1)
# So that two pictures of the largest size never take their 200 MB each at the same time.
_large_picture_slot = threading.BoundedSemaphore(1)
_held = threading.local()


@contextmanager
def decoding_slot(waiting: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold one of the process's slots; waits while all are taken, in no particular order.

    Does nothing if this thread holds one already. `waiting` is called while the slot is waited for, every
    TELL_EVERY seconds; what it raises ends the wait.
    """
    if getattr(_held, "slot", False):
        yield
        return
    with _one_of(_slots, waiting):
        _held.slot = True
        try:
            yield
        finally:
            _held.slot = False
            allocator.trim()


@contextmanager
def video_slot(waiting: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold one of the process's slots for a video; one video at a time. `waiting` as in `decoding_slot`."""
    with _one_of(_video_slot, waiting), decoding_slot(waiting):
        yield


@contextmanager
def picture_slots(size: tuple[int, int]) -> Iterator[None]:
    """Hold the slots for decoding a picture: none if it is small, a second one if it is large."""
    pixels = size[0] * size[1]
    with ExitStack() as stack:
        if pixels > SMALL_PIXELS:
            stack.enter_context(decoding_slot())
        if pixels > LARGE_PIXELS:
            stack.enter_context(_one_of(_large_picture_slot))
        yield


@contextmanager
def _one_of(slots: threading.BoundedSemaphore, waiting: Callable[[], object] | None = None) -> Iterator[None]:
    while not slots.acquire(timeout=TELL_EVERY):
        if waiting:
            waiting()
    try:
        yield
    finally:
        slots.release()
