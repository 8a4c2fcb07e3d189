"""The shapes of what is remembered: frozen values, made once and passed along."""

from dataclasses import dataclass
from datetime import datetime

from vibecheck.emotions import NAMES
from vibecheck.faces import Face, FaceQuality

PREDICTION_SOURCES = ("live", "photo", "upload", "import")
FEEDBACK_SOURCES = ("audit", "volunteered", "labeller", "import")
PLAY_MODES = ("match", "lift")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One vibe check: what was seen, what was answered, and by which model.

    `probabilities` are seven numbers in the order of `EMOTIONS` that sum to 1; `confidence` is that
    of `mood`. `face` is in the pixels of the kept picture (see `faces.keepsake`), whether or not the
    picture itself was kept. `quality` was measured in the full picture. `made_at` is in UTC.
    `visitor` is the hash of the browser's id. `audit` says whether this check was drawn, at random,
    to be asked about.
    """

    id: str
    made_at: datetime
    source: str
    mood: str
    confidence: float
    probabilities: tuple[float, ...]
    model_version: str
    visitor: str | None
    face: Face
    quality: FaceQuality
    latency_ms: float
    audit: bool
    picture_kept: bool

    def __post_init__(self) -> None:
        if self.source not in PREDICTION_SOURCES:
            raise ValueError(f"source must be one of {PREDICTION_SOURCES}, not {self.source!r}")
        if self.mood not in NAMES:
            raise ValueError(f"mood must be one of {NAMES}, not {self.mood!r}")
        if len(self.probabilities) != len(NAMES) or abs(sum(self.probabilities) - 1) > 1e-3:
            raise ValueError("probabilities must be seven numbers that sum to 1")
        if self.made_at.utcoffset() is None:
            raise ValueError("made_at must carry a time zone")

    @property
    def picture_name(self) -> str:
        """The name of its picture, wherever it is kept."""
        return f"input_{self.id}.jpg"


@dataclass(frozen=True, slots=True)
class Feedback:
    """A label for a prediction. Several may be given for one: `n` counts them from 1, the last holds.

    `label` is one of the seven moods. `given_by` is the hashed id of the visitor who gave it.
    """

    prediction_id: str
    n: int
    label: str
    source: str
    given_by: str | None
    given_at: datetime

    def __post_init__(self) -> None:
        if self.label not in NAMES:
            raise ValueError(f"label must be one of {NAMES}, not {self.label!r}")
        if self.source not in FEEDBACK_SOURCES:
            raise ValueError(f"source must be one of {FEEDBACK_SOURCES}, not {self.source!r}")


@dataclass(frozen=True, slots=True)
class Play:
    """A playlist that was suggested for a prediction; `n` counts from 1.

    `mode` is "match" or "lift"; `again` is true where the visitor asked for another one;
    `found_by` is "search" or "catalogue".
    """

    prediction_id: str
    n: int
    playlist_id: str
    playlist_name: str
    mode: str
    again: bool
    found_by: str
    suggested_at: datetime


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A model that made predictions here: its name in the records, where it came from, and since when."""

    version: str
    origin: str
    first_used_at: datetime
