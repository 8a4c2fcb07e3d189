"""Labelled pictures from the store or from files."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from vibecheck.errors import LabelsError, NoFace, PictureError
from vibecheck.importing import label_files
from vibecheck.importing.importer import id_of
from vibecheck.importing.label_files import RefusedPicture
from vibecheck.records.labels.labelled import LabelledPicture, LabelledPrediction
from vibecheck.vision.crops import KEPT_SIDE, kept_crop
from vibecheck.vision.detector import FaceDetector
from vibecheck.vision.faces import only_face
from vibecheck.vision.images import decode, encode_jpeg, read_bytes


def of_prediction(each: LabelledPrediction) -> LabelledPicture:
    """What the records know of a labelled picture, without the picture."""
    prediction, requested = each.prediction, each.random_label
    return LabelledPicture(
        row=None,
        path=None,
        label=each.label.label,
        visitor=prediction.visitor,
        made_at=prediction.made_at,
        prediction_id=prediction.id,
        random=requested is not None,
        labelled_at=(requested or each.label).given_at,
        disputed=each.disputed,
        side=each.side,
        face=prediction.face,
    )


def from_files(
    path: Path, pictures: Path | None, crops: bool, left_out: Counter[str]
) -> list[LabelledPicture]:
    """The pictures of a folder or a CSV file, as `python -m vibecheck import` would read them.

    Unusable lines and folders are counted in `left_out`. Raises LabelsError.
    """
    if not path.exists():
        raise LabelsError(f"There is no {path}: --source takes store, comet, a folder or a CSV file.")
    detector = None if crops else FaceDetector()
    found, now = [], datetime.now(UTC)
    for line in label_files.read(path, pictures):
        if isinstance(line, RefusedPicture):
            left_out["refused"] += 1
            continue
        try:
            found.append(_of_file(line, detector, now))
        except NoFace:
            left_out["no_face"] += 1
        except PictureError:
            left_out["unreadable"] += 1
    if not found and left_out["no_face"]:
        raise LabelsError(
            f"No picture of {path} shows one face. If they are already face crops, add --crops."
        )
    return found


def _of_file(line: LabelledPicture, detector: FaceDetector | None, now: datetime) -> LabelledPicture:
    """The line with the crop that would be kept of a visitor's photo: the face, without the room."""
    data = read_bytes(line.path)
    found = replace(line, prediction_id=id_of(data), made_at=line.made_at or now, picture=data)
    picture = decode(data)
    if detector is None:
        return found if max(picture.shape[:2]) <= KEPT_SIDE else replace(found, picture=encode_jpeg(picture))
    faces = detector.find_in_photo(picture)
    face = only_face(faces)
    kept, kept_face = kept_crop(picture, face, detector.bystanders(picture, face, faces[1:]))
    return replace(found, picture=encode_jpeg(kept), face=kept_face)
