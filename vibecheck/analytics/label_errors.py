"""Labels to train on, and those among them that look wrong (confident learning, Northcutt et al. 2021).

A model is confident of a mood if it gives it at least the probability that it gives on average to
pictures with that label. A label looks wrong if the model is that confident of another mood.
"""

from dataclasses import dataclass
from datetime import datetime

from vibecheck.records.labels.trainable import LabelCount, TrainableLabels
from vibecheck.records.stats.results import Example

# Below this confidence of the model, no label is doubted.
LEAST_CONFIDENCE = 0.8
# How many labels that look wrong are listed.
LISTED = 24


@dataclass(frozen=True, slots=True)
class NewLabels:
    """The labels, with a picture, that a model has not been trained on: the same numbers on every page.

    `since` is when the model was trained on labels of these records, or None if it was not. `counts` has one
    entry for each mood. `suspects` are the first of the `suspect_count` labels that look wrong.
    """

    since: datetime | None
    counts: tuple[LabelCount, ...]
    suspects: tuple[Example, ...]
    suspect_count: int

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(each.n for each in self.counts)

    @property
    def usable(self) -> int:
        """How many of them do not look wrong."""
        return max(0, self.total - self.suspect_count)


def new_labels(trainable: TrainableLabels, version: str) -> NewLabels:
    """The labels that are new to a model version. Raises RecordsError."""
    since, means = trainable.trained_at(version), trainable.mean_label_probability()
    thresholds = {mood: max(LEAST_CONFIDENCE, mean) for mood, mean in means.items()}
    number, suspects = trainable.suspects(thresholds, LISTED, since)
    return NewLabels(since, tuple(trainable.counts(since)), tuple(suspects), number)
