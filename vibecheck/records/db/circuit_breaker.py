"""A server that is away is waited for by one visitor, not by each in turn."""

import copy
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

# After a failure, everybody is told of it at once for so many times as long as it took.
FACTOR = 3.0


class Rest:
    """Attempts something that may fail slowly; after a failure that took a while it is left alone a while.

    So at most a quarter of the time is spent waiting, and what fails at once is tried again at once. May
    be shared by threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failure: Exception | None = None
        self._until = float("-inf")

    def attempt(self, action: Callable[[], Result]) -> Result:
        """What `action` returns. Raises what it raises, or raised a moment ago."""
        with self._lock:
            if self._failure is not None and self._clock() < self._until:
                raise copy.copy(self._failure)  # each thread has a traceback of its own
        began = self._clock()
        try:
            result = action()
        except Exception as error:
            with self._lock:
                now = self._clock()
                self._failure, self._until = error, now + FACTOR * (now - began)
            raise
        self._failure = None
        return result
