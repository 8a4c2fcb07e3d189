"""Models read labelled pictures: kept ones that they have not read yet, and the operator's reference set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vibecheck.emotions import NAMES
from vibecheck.errors import LabelsError, PictureError
from vibecheck.evaluation.compare import Comparison, compare
from vibecheck.importing import label_files
from vibecheck.models.shadow import read_by
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.records.readings import ShadowReading
from vibecheck.vision.classifier import Classifier
from vibecheck.vision.detector import FaceDetector
from vibecheck.vision.faces import face_filling
from vibecheck.vision.images import decode, read_file


def read_pictures(
    models: Sequence[Classifier],
    pictures: Mapping[str, LabelledPicture],
    said: Mapping[str, Mapping[str, tuple[float, ...]]],
) -> tuple[list[ShadowReading], int]:
    """What the models say of the pictures that they have not read; and how many cannot be decoded."""
    made, unreadable = [], 0
    for name, row in pictures.items():
        missing = [model for model in models if model.version not in said.get(name, {})]
        if not missing:
            continue
        try:
            picture = decode(row.picture, name="A kept picture")
        except PictureError:
            unreadable += 1
            continue
        face = row.face or face_filling(picture)
        made += [read_by(model, name, picture, face) for model in missing]
    return made, unreadable


def read_reference(models: Sequence[Classifier], source: Path) -> tuple[Comparison, int]:
    """Compares champion and challenger on the operator's own labelled pictures.

    The second is the number of lines, folders and pictures that cannot be used. Raises LabelsError if none
    can.
    """
    detector = FaceDetector()
    answers: list[list[np.intp]] = []
    labels: list[int] = []
    unusable = 0
    for each in label_files.read(source):
        if isinstance(each, label_files.RefusedPicture):
            unusable += 1
            continue
        try:
            picture = read_file(each.path)
            face = next(iter(detector.find_in_photo(picture)), face_filling(picture))
        except PictureError:
            unusable += 1
            continue
        answers.append([model.read_face(picture, face).argmax() for model in models])
        labels.append(NAMES.index(each.label))
    if not labels:
        raise LabelsError(f"{source} holds no labelled picture that can be read.")
    champion, challenger = np.array(answers).T
    return compare(champion, challenger, np.array(labels)), unusable
