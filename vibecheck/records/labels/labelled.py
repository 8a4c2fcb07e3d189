"""A labelled prediction, for the records, and a labelled picture, for training and import."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vibecheck.records.labels.effective_label import OVERRULES, effective_label
from vibecheck.records.values import SIDES, Cursor, Feedback, Prediction
from vibecheck.vision.faces import Face

TRAIN, HELD_OUT = SIDES


@dataclass(frozen=True, slots=True)
class LabelledPrediction:
    """A prediction with all its labels, oldest first; it may have none.

    `side` is TRAIN or HELD_OUT once it was assigned.
    """

    prediction: Prediction
    labels: tuple[Feedback, ...] = ()
    side: str | None = None

    @property
    def label(self) -> Feedback | None:
        """The label that counts."""
        return effective_label(self.labels)

    @property
    def random_label(self) -> Feedback | None:
        """The label that counts among those requested at random, without looking at the model's answer.

        Those are audits, imports, and what a labeller found in the random queue. An "audit" of a
        prediction that was not drawn for one was volunteered.
        """
        return effective_label(each for each in self.labels if self._requested_at_random(each))

    @property
    def disputed(self) -> bool:
        """Whether the labellers' own latest labels name different moods."""
        latest = {each.given_by: each.mood for each in self.labels if each.source == OVERRULES and each.mood}
        return len(set(latest.values())) > 1

    @property
    def cursor(self) -> Cursor:
        """Its position among all predictions, newest first: the next page begins after it."""
        return self.prediction.made_at, self.prediction.id

    def _requested_at_random(self, label: Feedback) -> bool:
        if label.source == "audit":
            return self.prediction.audit
        return label.source == "import" or label.queue == "random"


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture and the mood that people saw in it.

    From a label file it has `row` (as a spreadsheet counts, the header being 1; None in a folder) and
    `path`; from the records, `prediction_id`. `visitor` is a hash. `made_at` has a time zone; None if
    the file does not say. `picture` is a JPEG or PNG once it was read, `face` the face in it, None if
    the picture is a face crop. `random`: it has a label that was requested at random, at `labelled_at`.
    `copies` are the ids of predictions with the same picture.
    """

    row: int | None
    path: Path | None
    label: str
    visitor: str | None = None
    made_at: datetime | None = None
    prediction_id: str = ""
    random: bool = True
    labelled_at: datetime | None = None
    disputed: bool = False
    side: str | None = None
    picture: bytes | None = None
    face: Face | None = None
    copies: tuple[str, ...] = ()

    @property
    def judges(self) -> bool:
        """Whether models may be judged by it: held out, and its label requested at random."""
        return self.side == HELD_OUT and self.random
