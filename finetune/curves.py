"""What each epoch of a training said, kept with the version: Comet draws it."""

from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
KEPT = ("loss", "accuracy", "balanced_accuracy")


class Curves:
    """Passes the events of a run on to `tell`; `epochs` are the numbers of the epochs so far, in order."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self.epochs: list[dict[str, float]] = []

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if event.get("event") == "epoch":
            kept = {name: event[name] for name in KEPT if isinstance(event.get(name), int | float)}
            self.epochs.append({"epoch": len(self.epochs) + 1} | kept)
        self._tell(event)
