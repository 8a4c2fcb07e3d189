"""An alert: one notification to the operator."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alert:
    """A notification. `key` identifies it: each key is sent once.

    `event` is "retrain", "comparison", "drift" or "set_aside". A `lasting` one may be told again once it was
    over; others happen once.
    """

    event: str
    key: str
    text: str
    lasting: bool = True
