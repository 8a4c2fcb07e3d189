"""Models read labelled pictures: kept ones that they have not read yet, and the operator's reference set."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vibecheck.emotions import NAMES
from vibecheck.errors import LabelsError, PictureError
from vibecheck.importing import label_files
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.records.readings import ShadowReading
from vibecheck.vision.classifier import Classifier
from vibecheck.vision.crops import model_crop
from vibecheck.vision.detector import FaceDetector
from vibecheck.vision.faces import Face, face_filling
from vibecheck.vision.images import decode, read_file

# Crops in memory at a time.
AT_ONCE = 256


def read_pictures(
    models: Sequence[Classifier],
    pictures: Mapping[str, LabelledPicture],
    said: Mapping[str, Mapping[str, tuple[float, ...]]],
) -> tuple[list[ShadowReading], int]:
    """What the models say of the pictures that they have not read; and how many are no pictures."""
    unread = [Unread(model) for model in models]
    unreadable = 0
    for name, row in pictures.items():
        missing = [each for each in unread if each.model.version not in said.get(name, {})]
        if not missing:
            continue
        try:
            picture = decode(row.picture, name="A kept picture")
        except PictureError:
            unreadable += 1
            continue
        for each in missing:
            each.add(name, picture, row.face)
    made = [
        ShadowReading(name, each.model.version, shares, each.ms_a_face)
        for each in unread
        for name, shares in each.finish().items()
    ]
    return made, unreadable


class Unread:
    """Faces that one model is to read, added one by one and read many at a time."""

    def __init__(self, model: Classifier) -> None:
        self.model = model
        self._waiting: dict[str, np.ndarray] = {}
        self._said: dict[str, tuple[float, ...]] = {}
        self._took = 0.0

    def add(self, name: str, picture: np.ndarray, face: Face | None) -> None:
        """Add a picture; `face` is None for a face crop."""
        cut = model_crop(picture, face or face_filling(picture), self.model.side, self.model.manifest)
        self._waiting[name] = cut
        if len(self._waiting) >= AT_ONCE:
            self.finish()

    def finish(self) -> dict[str, tuple[float, ...]]:
        """The model's readings of all added pictures, by name."""
        start = time.perf_counter()
        if self._waiting:
            shares = self.model.probabilities(np.stack(list(self._waiting.values())))
            self._said |= {
                name: tuple(each) for name, each in zip(self._waiting, shares.tolist(), strict=True)
            }
            self._waiting.clear()
        self._took += time.perf_counter() - start
        return self._said

    @property
    def ms_a_face(self) -> float:
        """How long it took, on average."""
        return self._took * 1000 / max(1, len(self._said))


def read_reference(models: Sequence[Classifier], source: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Both models' readings of the operator's own labelled pictures (N x 7 each), and the labels.

    Raises LabelsError where there are none.
    """
    unread, detector = [Unread(model) for model in models], FaceDetector()
    labels: list[int] = []
    for each in label_files.read(source):
        if isinstance(each, label_files.RefusedPicture):
            continue
        try:
            picture = read_file(each.path)
            face = next(iter(detector.find_in_photo(picture)), None)
        except PictureError:
            continue
        for model in unread:
            model.add(str(len(labels)), picture, face)
        labels.append(NAMES.index(each.label))
    if not labels:
        raise LabelsError(f"{source} holds no labelled picture that can be read.")
    return [np.array(list(each.finish().values())) for each in unread], np.array(labels)
