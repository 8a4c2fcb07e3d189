"""What this process opens once and shares among all visitors.

Not in `st.cache_resource`: Streamlit empties its caches for all sessions when one browser asks it to.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ProcessValue(Generic[Value]):
    """Calls `make` on first use, and again once the value is `max_age` seconds old. Thread-safe; a decorator.

    While one thread makes the value, others wait for it. An exception is raised to the caller, and the
    next call tries again.
    """

    def __init__(self, make: Callable[[], Value], max_age: float = math.inf) -> None:
        self._make, self._max_age = make, max_age
        self._lock = threading.RLock()
        self._made: tuple[Value, float] | None = None  # the value, and the time at which it expires
        self.__doc__ = make.__doc__

    def __call__(self) -> Value:
        made = self._made
        if made is not None and time.monotonic() < made[1]:
            return made[0]
        with self._lock:
            if self._made is None or time.monotonic() >= self._made[1]:
                value = self._make()
                self._made = value, time.monotonic() + self._max_age
            return self._made[0]

    @property
    def is_made(self) -> bool:
        """Whether the next call returns at once."""
        return self._made is not None

    def clear(self) -> None:
        """Drop the value; the next call makes another."""
        with self._lock:
            self._made = None
