"""muxspace/facial_expressions: grey photographs of public figures, one label each (Apache License 2.0).

The parquet file has the columns `image` (a struct with the picture's `bytes`), `label` (one of the seven
moods) and `person`. The pictures are square face crops, cut as the app cuts them for the embedded model.
"""

import zlib
from pathlib import Path

import numpy as np

from finetune.embedded.ferplus import VOTES, Faces, pictures_in, read_table
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError

# One person in this many is held out of training.
HELD_OUT_EVERY = 10


def read(path: Path) -> Faces:
    """The faces of the people who are not held out; each label is one vote.

    Raises VibeCheckError, naming the file and the column.
    """
    table = read_table(path, "Name muxspace's parquet file with --muxspace.", "label", "person")
    pictures = pictures_in(table, path)
    if len({picture.shape for picture in pictures}) != 1:
        raise VibeCheckError(f"{path} has no pictures, or pictures of several sizes.")
    label = np.array([NAMES.index(name) for name in table["label"]])
    votes = np.array([[name == vote for vote in VOTES] for name in table["label"]], dtype=np.int64)
    faces = Faces(np.stack(pictures), votes, label)
    # By a hash, so that it does not depend on what else is in the file.
    people = table["person"].astype(str)
    return faces.take(np.array([zlib.crc32(person.encode()) % HELD_OUT_EVERY != 0 for person in people]))
