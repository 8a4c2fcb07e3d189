"""The results of the statistical queries (`queries.py`), as frozen values."""

from dataclasses import dataclass, fields
from datetime import date

import numpy as np
from sqlalchemy import Row

from vibecheck.records.values import ModelVersion


@dataclass(frozen=True, slots=True)
class Scope:
    """A selection of predictions: days in UTC, both included, a model version, a source; None selects all."""

    since: date | None = None
    until: date | None = None
    model_version: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class VisitorTally:
    """Answers of several visitors: `n` in all, of which `correct` say that the prediction was right.

    `shares` is the sum over the `visitors` of each one's own share of right answers, `squares` the sum of
    the squares of these shares.
    """

    n: int = 0
    correct: int = 0
    visitors: int = 0
    shares: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True, slots=True)
class Day:
    """One day's predictions: `audits` were drawn for an audit.

    `bins` counts them by confidence and `plays` their playlists: at most MOST_IN_MIX predictions of one
    visitor (`summaries.py`).
    """

    day: date
    n: int
    audits: int
    plays: int
    bins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LabelTally:
    """Labels of one kind: `n` that count, of which `correct` say that the prediction was right.

    `given` includes those beyond the daily limit of a visitor.
    """

    n: int = 0
    correct: int = 0
    given: int = 0


@dataclass(frozen=True, slots=True)
class Bin:
    """Audits in one bin of confidence.

    `weight`, `right` and `confidence` are sums over the answers, those that are right, and their confidence,
    in which all answers of a visitor together weigh 1.
    """

    number: int
    tally: VisitorTally
    weight: float
    right: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Mix:
    """The predictions of D days: by mood (D x 7), and for each signal, by its column, by bin (D x bins)."""

    moods: np.ndarray
    signals: dict[str, np.ndarray]

    @property
    def n(self) -> int:
        """The number of predictions."""
        return int(self.moods.sum())


@dataclass(frozen=True, slots=True)
class MoodPlays:
    """Playlists for a mood: how many were suggested, and how many of them by "another one"."""

    mood: str
    predictions: int
    plays: int
    agains: int


@dataclass(frozen=True, slots=True)
class VersionUse(ModelVersion):
    """The use of a model: its last day, number of predictions, and mean latency in ms."""

    last_day: date | None
    n: int
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class Example:
    """A prediction with its label, if it has one; the model gave the label `label_probability`."""

    prediction_id: str
    day: date
    model_version: str
    source: str
    mood: str
    confidence: float
    label: str | None = None
    kind: str | None = None
    label_probability: float | None = None

    @classmethod
    def of(cls, row: Row) -> "Example":
        """The example in a row of `outcomes`."""
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class LabelPair:
    """The moods that two labellers saw in the same face, and the `mood` that the model did.

    `visitor` is that of the prediction, or its id where there is none.
    """

    prediction_id: str
    visitor: str
    model_version: str
    mood: str
    first_label: str
    first_by: str
    second_label: str
    second_by: str

    @property
    def agree(self) -> bool:
        """Whether they saw the same mood."""
        return self.first_label == self.second_label
