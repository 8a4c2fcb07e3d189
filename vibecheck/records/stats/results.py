"""The shapes of what is counted: frozen values, each made by a question of `counting.py`."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """Which predictions are meant: days in UTC, both included, a model version, a source; None is all."""

    since: date | None = None
    until: date | None = None
    model_version: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """One day's predictions: `audits` were drawn to be asked about; `bins` counts them by confidence."""

    day: date
    n: int
    audits: int
    plays: int
    confidence_sum: float
    bins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answers:
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
    """Audits that have something in common, `name` of `what`, and how many of them were right."""

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
    """How predictions are spread: over the moods, and over the bins of each signal, by its column."""

    n: int
    moods: tuple[int, ...]
    signals: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class MoodPlays:
    """Playlists for a mood: how many were suggested, and how many of those because of "another one"."""

    mood: str
    predictions: int
    plays: int
    agains: int


@dataclass(frozen=True, slots=True)
class VersionUse:
    """A model's time here: where it came from, its first and last day, predictions, mean latency in ms."""

    version: str
    origin: str
    first_used_at: datetime
    last_day: date | None
    n: int
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class Example:
    """A prediction, with its label where it has one: `label_probability` is what the model gave it."""

    prediction_id: str
    day: date
    model_version: str
    source: str
    mood: str
    confidence: float
    label: str | None = None
    kind: str | None = None
    label_probability: float | None = None
