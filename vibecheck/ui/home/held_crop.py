"""A face crop that may not be kept yet: it waits in memory for a yes, and not for long.

It knows no record and no page.
"""

import threading
from dataclasses import dataclass

SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Crop:
    """The face crop (JPEG) of a prediction."""

    prediction_id: str
    jpeg: bytes


class HeldCrop:
    """Holds the crop of the newest vibe check, for `seconds` at most, whether or not anybody asks for it.

    Never on disk. May be shared by threads.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._crop: Crop | None = None
        self._timer: threading.Timer | None = None

    def hold(self, crop: Crop) -> None:
        """Hold this crop from now on; the one before is let go."""
        with self._lock:
            self._stop()
            self._crop = crop
            self._timer = threading.Timer(self._seconds, self._expire, [crop])
            self._timer.daemon = True
            self._timer.start()

    def crop(self) -> Crop | None:
        """The crop that is held now, if any."""
        with self._lock:
            return self._crop

    def let_go(self) -> None:
        """Forget the crop, if there is one."""
        with self._lock:
            self._stop()

    def _expire(self, crop: Crop) -> None:
        with self._lock:
            if self._crop is crop:  # else a newer one has come just now
                self._stop()

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._crop = self._timer = None
