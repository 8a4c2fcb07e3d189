"""Circuit breaker: after a slow failure, fail fast for three times its duration."""

import copy
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# The circuit stays open this many times as long as the failure took.
FACTOR = 3.0


class CircuitBreaker:
    """Fails fast after a slow failure, so that one caller waits for a server that is down, not each in turn.

    At most a quarter of the time is spent waiting, and quick failures are retried quickly. Thread-safe.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failure: Exception | None = None
        self._until = float("-inf")

    def attempt(self, action: Callable[[], T]) -> T:
        """The result of `action`. Raises its exception or, while the circuit is open, its last one."""
        with self._lock:
            if self._failure is not None and self._clock() < self._until:
                raise copy.copy(self._failure)  # each thread needs its own traceback
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
