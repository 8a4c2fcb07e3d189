"""FER+: faces of 48 px, with the votes of ten people and FER2013's own label for each.

A split is a parquet file with the columns `image` (a struct with the PNG's `bytes`), `votes` (ten
integers, in the order of VOTES) and `fer2013_label`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError
from vibecheck.vision.images import decode

VOTES = (
    "neutral",
    "happy",
    "surprise",
    "sad",
    "angry",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "not a face",
)
# The columns of the seven moods among the votes, in the order of EMOTIONS.
COLUMNS = [VOTES.index(name) for name in NAMES]


@dataclass(frozen=True)
class Faces:
    """N labelled faces.

    `pictures` is N x S x S uint8, grey. `votes` is N x 10; `shares` (N x 7) are the votes for the moods,
    normalised (uniform where there are none). `label` is FER2013's, as an index into EMOTIONS; `truth` the
    mood with most votes, or -1 where another category has most.
    """

    pictures: np.ndarray
    votes: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def shares(self) -> np.ndarray:
        seven = self.votes[:, COLUMNS].astype(np.float64)
        total = seven.sum(axis=1, keepdims=True)
        return np.where(total > 0, seven / np.maximum(total, 1), 1 / len(NAMES))

    @property
    def truth(self) -> np.ndarray:
        winner = self.votes.argmax(axis=1)
        moods = np.full(len(VOTES), -1)
        moods[COLUMNS] = np.arange(len(NAMES))
        return moods[winner]

    @property
    def agreed(self) -> np.ndarray:
        """A mask of the faces on which papers on FER+ evaluate: one of the seven has a majority.

        Single votes are ignored, as in the majority mode of Barsoum et al. (2016, arXiv:1608.01041;
        github.com/microsoft/FERPlus).
        """
        counted = np.where(self.votes > 1, self.votes, 0)
        return (self.truth >= 0) & (counted.max(axis=1) * 2 > counted.sum(axis=1))

    def take(self, chosen: np.ndarray) -> "Faces":
        """The faces selected by a mask or indices."""
        return Faces(self.pictures[chosen], self.votes[chosen], self.label[chosen])


def read(path: Path) -> Faces:
    """One split. Raises VibeCheckError, naming the file and the column."""
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise VibeCheckError(f"There is no file {path}: check --data.") from error
    except (OSError, ArrowException) as error:
        raise VibeCheckError(f"{path} is not a parquet file: {error}") from error
    if missing := {"image", "fer2013_label", "votes"} - set(table.columns):
        raise VibeCheckError(f"{path} has no column {', '.join(sorted(missing))}.")
    if unknown := set(table["fer2013_label"]) - set(NAMES):
        raise VibeCheckError(f"{path} has labels that are not among the seven: {', '.join(sorted(unknown))}.")
    pictures = np.stack([decode(image["bytes"], name=str(path))[..., 0] for image in table["image"]])
    votes = np.stack(table["votes"].to_list()).astype(np.int64)
    if votes.shape[1] != len(VOTES):
        raise VibeCheckError(f"{path} has {votes.shape[1]} votes a face; they have to be {len(VOTES)}.")
    label = np.array([NAMES.index(name) for name in table["fer2013_label"]])
    return Faces(pictures, votes, label)
