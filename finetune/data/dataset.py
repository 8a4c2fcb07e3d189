"""Labelled pictures as a Hugging Face dataset: model inputs with their targets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from datasets import ClassLabel, Features, Value
from datasets import Sequence as Several
from datasets.arrow_writer import ArrowWriter

from vibecheck.emotions import NAMES
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.vision.classifier import Classifier
from vibecheck.vision.crops import model_crop
from vibecheck.vision.faces import face_filling
from vibecheck.vision.images import decode
from vibecheck.vision.manifest import Manifest

FEATURES = Features(
    {
        "prediction_id": Value("string"),
        "label": ClassLabel(names=list(NAMES)),
        "pixels": Value("binary"),  # side x side x 3 uint8 RGB
        "teacher": Several(Value("float32"), length=len(NAMES)),
    }
)


def write(
    path: Path, rows: Sequence[LabelledPicture], side: int, manifest: Manifest, teacher: Classifier
) -> None:
    """Write the rows into a file, cropped for a model of `manifest` with an input of `side` px.

    `teacher` is the champion, whose answers are stored as part of the targets. Nothing goes through the
    cache of `datasets`.
    """
    with ArrowWriter(path=str(path), features=FEATURES) as writer:
        for row in rows:
            picture = decode(row.picture)
            face = row.face or face_filling(picture)
            writer.write(
                {
                    "prediction_id": row.prediction_id,
                    "label": NAMES.index(row.label),
                    "pixels": model_crop(picture, face, side, manifest).tobytes(),
                    "teacher": teacher.read_face(picture, face).astype(np.float32),
                }
            )
        writer.finalize()
