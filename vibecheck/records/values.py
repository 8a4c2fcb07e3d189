"""The values that the records hold, as frozen dataclasses."""

import hashlib
import re
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

from vibecheck.emotions import NAMES
from vibecheck.vision.faces import Face, FaceQuality

# No measurement comes near it; sums of many stay within a float.
LARGEST = 1e9
PREDICTION_SOURCES = ("live", "photo", "upload", "video", "import")
FEEDBACK_SOURCES = ("audit", "volunteered", "labeller", "import", "second")
# The source of a label that only measures how far people agree: see `labels/second_labels.py`.
SECOND = "second"

# The label of a picture that shows no face, or a face whose mood nobody can tell. It is a label like the
# seven, so that the same person is not asked again, but no mood: it never counts as an error of the model,
# and no model learns from it. `Feedback.mood` is None for it.
CANT_TELL = "cant_tell"
LABELS = (*NAMES, CANT_TELL)

# The queue in which a labeller found a prediction. "useful": what a model learns most from. "random": drawn
# and shown without the answer; of labellers' labels, only these count when models are judged.
QUEUES = ("useful", "random")
# What a labelled picture is for: to train models, or to judge them.
SIDES = ("train", "held_out")
PLAY_MODES = ("match", "lift")
PROMOTION_KINDS = ("first", "promotion", "override", "rollback")
PLAY_FINDERS = ("search", "catalogue")

# The time and the id of a prediction: its position in lists.
Cursor = tuple[datetime, str]


def is_prediction_id(text: str) -> bool:
    """Whether `text` has the form of a prediction's id, `uuid.uuid4().hex`.

    Ids arrive in links and become file names, so nothing else is ever looked up.
    """
    return re.fullmatch(r"[0-9a-f]{32}", text) is not None


def check_id(prediction_id: str) -> None:
    """Raises ValueError unless this is the id of a prediction."""
    if not is_prediction_id(prediction_id):
        raise ValueError(f"a prediction's id is 32 hexadecimal digits, not {prediction_id!r}")


def _check_one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{what} must be one of {allowed}, not {value!r}")


def check_time(what: str, moment: datetime) -> None:
    """Raises ValueError unless `moment` carries a time zone, OverflowError outside the years 1 to 9999."""
    if moment.utcoffset() is None:
        raise ValueError(f"{what} must carry a time zone")
    moment.astimezone(UTC)


def as_utc(moment: datetime) -> datetime:
    """A time in UTC; one without a time zone is in UTC already.

    Raises OverflowError if the result is outside the years 1 to 9999.
    """
    return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)


def check_probabilities(probabilities: tuple[float, ...]) -> None:
    """Raises ValueError unless these are seven probabilities."""
    # Written so that a NaN, which compares as false with everything, is refused too.
    if len(probabilities) != len(NAMES) or not abs(sum(probabilities) - 1) <= 1e-3:
        raise ValueError("probabilities must be seven numbers that sum to 1")
    if not all(0 <= share <= 1 + 1e-6 for share in probabilities):
        raise ValueError("probabilities and confidence must lie between 0 and 1")


def _check_n(n: int) -> None:
    if n < 1:
        raise ValueError(f"n counts from 1, not {n}")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One vibe check: the face, the answer, and the model that gave it.

    `id` is `uuid.uuid4().hex`. `probabilities` are seven numbers in the order of `EMOTIONS` that sum
    to 1; `confidence` is that of `mood`. `face` is in the pixels of the kept picture (see
    `crops.kept_crop`), whether or not the picture itself was kept. `quality` was measured in the full
    picture. `made_at` carries a time zone; from the store it comes back in UTC. `visitor` is the hash
    of the browser's id. `audit` says whether this check was drawn, at random, to be asked about.
    `calibration` is the id of the `LearnedCalibration` that the probabilities were made under, None for those
    of the model as shipped.
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
    calibration: str | None = None

    def __post_init__(self) -> None:
        check_id(self.id)
        if self.calibration is not None:
            check_id(self.calibration)
        check_time("made_at", self.made_at)
        _check_one_of("source", self.source, PREDICTION_SOURCES)
        _check_one_of("mood", self.mood, NAMES)
        check_probabilities(self.probabilities)
        if not 0 <= self.confidence <= 1 + 1e-6:
            raise ValueError("probabilities and confidence must lie between 0 and 1")
        if len(self.face.landmarks) != 5:
            raise ValueError("a face has five landmarks")
        *box, landmarks, score = astuple(self.face)
        points = (number for point in landmarks for number in point)
        measured = (*box, score, *astuple(self.quality), self.latency_ms, *points)
        if not all(abs(number) < LARGEST for number in measured):
            raise ValueError(f"the numbers of a prediction must be finite and less than {LARGEST:.0e}")

    @property
    def picture_name(self) -> str:
        """The name of its picture, wherever it is kept."""
        return f"input_{self.id}.jpg"


@dataclass(frozen=True, slots=True)
class Feedback:
    """A label for a prediction. Several may be given for one: `n` counts them from 1;
    `labels/effective_label.py` says which one is effective.

    `label` is one of the seven moods, or CANT_TELL. `given_by` is the hashed id of the visitor who gave
    it. `queue` is the queue in which a labeller found the prediction ("useful", "random"), or None. A
    label that was undone is deleted, and its `n` is not reused.
    """

    prediction_id: str
    n: int
    label: str
    source: str
    given_by: str | None
    given_at: datetime
    queue: str | None = None

    def __post_init__(self) -> None:
        check_id(self.prediction_id)
        _check_n(self.n)
        _check_one_of("label", self.label, LABELS)
        _check_one_of("source", self.source, FEEDBACK_SOURCES)
        check_time("given_at", self.given_at)
        if self.queue is not None:
            _check_one_of("queue", self.queue, QUEUES)
            if self.source != "labeller":
                raise ValueError("only a labeller's label comes from a queue")

    @property
    def mood(self) -> str | None:
        """The mood that was seen, or None where nobody can tell."""
        return None if self.label == CANT_TELL else self.label


@dataclass(frozen=True, slots=True)
class FeedbackUndone:
    """The label `n` of a prediction was undone by the person who gave it."""

    prediction_id: str
    n: int
    undone_at: datetime


@dataclass(frozen=True, slots=True)
class PictureKept:
    """A visitor allowed the picture to be kept after the prediction was stored."""

    prediction_id: str
    kept_at: datetime


@dataclass(frozen=True, slots=True)
class SideDrawn:
    """Permanent train/held-out assignment of a prediction's picture."""

    prediction_id: str
    side: str
    drawn_at: datetime

    def __post_init__(self) -> None:
        check_id(self.prediction_id)
        _check_one_of("side", self.side, SIDES)
        check_time("drawn_at", self.drawn_at)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A prediction was deleted, so what was sent of it must be deleted too."""

    prediction_id: str
    made_at: datetime  # of the prediction: what was sent is grouped by day
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class Play:
    """A playlist that was suggested for a prediction; `n` counts from 1.

    `mode` is "match" or "lift"; `again` is true if the visitor asked for another one;
    `found_by` is "search" or "catalogue". `category` is the mood whose music it is, None in records from
    before it was noted. `followed` is the visitor's answer that it followed, None where it followed the
    predicted mood. `playlist_name` stays on this machine, and is empty in what was restored from Comet.
    """

    prediction_id: str
    n: int
    playlist_id: str
    playlist_name: str
    mode: str
    again: bool
    found_by: str
    suggested_at: datetime
    category: str | None = None
    followed: str | None = None

    def __post_init__(self) -> None:
        check_id(self.prediction_id)
        _check_n(self.n)
        _check_one_of("mode", self.mode, PLAY_MODES)
        _check_one_of("found_by", self.found_by, PLAY_FINDERS)
        if self.category is not None:
            _check_one_of("category", self.category, NAMES)
        if self.followed is not None:
            _check_one_of("followed", self.followed, NAMES)
        check_time("suggested_at", self.suggested_at)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A model that made predictions here: its version, its origin, and the time of its first prediction."""

    version: str
    origin: str
    first_used_at: datetime


@dataclass(frozen=True, slots=True)
class Promotion:
    """A model became champion, replacing another one (None the first time), for a reason.

    `kind` is "promotion", "first" for the first champion of an installation, "override" if it was not
    proved better but somebody gave a reason, or "rollback" if the previous champion was restored.
    """

    version: str
    replaced: str | None
    kind: str
    why: str
    made_at: datetime

    def __post_init__(self) -> None:
        _check_one_of("kind", self.kind, PROMOTION_KINDS)
        check_time("made_at", self.made_at)
        if not self.why.strip():
            raise ValueError("a promotion has a reason")


def hash_of(identity: str) -> str:
    """The SHA-256 of a browser's id, or of the name that a file gives a person, in hexadecimal."""
    return hashlib.sha256(identity.encode()).hexdigest()
