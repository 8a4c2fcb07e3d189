"""An alert: one thing that the operator is told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to be told. `key` identifies it: of each key one alert is sent.

    `event` is "retrain", "comparison", "drift" or "set_aside". A `lasting` one may be told again once it was
    over; others happen once.
    """

    event: str
    key: str
    text: str
    lasting: bool = True
