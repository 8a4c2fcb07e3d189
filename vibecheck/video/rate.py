"""How often something happens, such as the frames and readings of a stream."""

from collections import deque

WINDOW = 3.0  # s; what is older does not count


class Rate:
    """Events per second. Times are in seconds of a monotonic clock; not thread-safe."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def count(self, now: float) -> None:
        """An event happens now."""
        self._times.append(now)
        while now - self._times[0] > WINDOW:
            self._times.popleft()

    def per_second(self, now: float) -> float:
        """The rate over the last WINDOW seconds; 0 if there were fewer than two events."""
        recent = [time for time in self._times if now - time <= WINDOW]
        span = now - recent[0] if recent else 0.0
        return (len(recent) - 1) / span if span > 0 else 0.0
