"""Labelled pictures as a Hugging Face dataset: model inputs with their targets."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import ClassLabel, Features, Value
from datasets import Sequence as Several
from datasets.arrow_writer import ArrowWriter

from vibecheck.emotions import NAMES
from vibecheck.records.db.batches import batches
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
# Rows in memory at a time; a ViT's are 150 KB each.
AT_ONCE = 64


def write(
    path: Path, rows: Sequence[LabelledPicture], side: int, manifest: Manifest, teacher: Classifier
) -> None:
    """Write the rows into a file, cropped for a model of `manifest` with an input of `side` px.

    `teacher` is the champion, whose answers are stored as part of the targets. Nothing goes through the
    cache of `datasets`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with ArrowWriter(path=str(path), features=FEATURES) as writer:
        for some in batches(rows, AT_ONCE):
            for row in _cut(some, side, manifest, teacher):
                writer.write(row)
        writer.finalize()


def _cut(
    rows: Sequence[LabelledPicture], side: int, manifest: Manifest, teacher: Classifier
) -> Iterator[dict[str, Any]]:
    pictures = [decode(row.picture) for row in rows]
    faces = [row.face or face_filling(picture) for row, picture in zip(rows, pictures, strict=True)]
    seen = [
        model_crop(picture, face, teacher.side, teacher.manifest)
        for picture, face in zip(pictures, faces, strict=True)
    ]
    said = teacher.probabilities(np.stack(seen)).astype(np.float32)
    for row, picture, face, answer in zip(rows, pictures, faces, said, strict=True):
        pixels = model_crop(picture, face, side, manifest).tobytes()
        label = NAMES.index(row.label)
        yield {"prediction_id": row.prediction_id, "label": label, "pixels": pixels, "teacher": answer}
