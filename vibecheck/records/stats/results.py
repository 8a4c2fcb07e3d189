"""The results of the queries in `queries.py`, as frozen dataclasses."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """A selection of predictions: days in UTC (both included), a model version, a source; None means all."""

    since: date | None = None
    until: date | None = None
    model_version: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """One day's predictions: `audits` were drawn for an audit; `bins` counts all by confidence."""

    day: date
    n: int
    audits: int
    plays: int
    confidence_sum: float
    bins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DailyLabels:
    """One day's labels of one kind, and how many say that the prediction was right."""

    day: date
    kind: str
    n: int
    correct: int


@dataclass(frozen=True, slots=True)
class Cell:
    """How many audits of a `mood` that was shown got the label `label`."""

    label: str
    mood: str
    n: int


@dataclass(frozen=True, slots=True)
class Group:
    """The audits whose `what` (a signal, source or model version) is `name`, and how many were correct."""

    what: str
    name: str
    n: int
    correct: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Audits of one model in one bin of confidence."""

    model_version: str
    number: int
    n: int
    correct: int
    confidence_sum: float


@dataclass(frozen=True, slots=True)
class Mix:
    """The distribution of predictions over the moods, and over the bins of each signal, by its column."""

    n: int
    moods: tuple[int, ...]
    signals: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class MoodPlays:
    """Playlists for a mood: how many were suggested, and how many because the last one was skipped."""

    mood: str
    predictions: int
    plays: int
    agains: int


@dataclass(frozen=True, slots=True)
class VersionUse:
    """A model's use: its origin, its first and last day, predictions, mean latency in ms."""

    version: str
    origin: str
    first_used_at: datetime
    last_day: date | None
    n: int
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class Example:
    """A prediction with its label, if any; `label_probability` is the model's probability of the label."""

    prediction_id: str
    day: date
    model_version: str
    source: str
    mood: str
    confidence: float
    label: str | None = None
    kind: str | None = None
    label_probability: float | None = None
