"""Where labelled pictures come from: the store, Comet by way of the store, or files."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from vibecheck.errors import LabelsError, NoFace, PictureError, SettingsError
from vibecheck.importing import label_files
from vibecheck.importing.importer import RIVAL, id_of
from vibecheck.importing.label_files import LabelledPicture, Refused
from vibecheck.records.labels import training_sets
from vibecheck.records.labels.which_counts import OVERRULES
from vibecheck.records.store import Store
from vibecheck.records.values import hash_of
from vibecheck.settings import Settings
from vibecheck.vision.crops import KEPT_SIDE, kept_crop
from vibecheck.vision.detector import FaceDetector
from vibecheck.vision.faces import Face
from vibecheck.vision.images import decode, encode_jpeg, read_bytes
from vibecheck.vision.reader import STILL_SIDE


@dataclass(frozen=True, slots=True)
class Found:
    """A labelled picture as its source has it; `fetch` brings the picture, or None where it is gone.

    `disputed`: labellers do not agree. `side` was drawn before, or is None. The rest is as in
    `collect.Labelled`.
    """

    prediction_id: str
    label: str
    source: str
    queue: str | None
    visitor: str | None
    made_at: datetime
    mood: str | None
    model_version: str | None
    face: Face | None
    fetch: Callable[[], bytes | None]
    side: str | None = None
    disputed: bool = False
    picture: bytes | None = None


def from_store(store: Store) -> list[Found]:
    """Everything labelled in the store, oldest first. Raises RecordsError."""
    return [_of_case(case, store) for case in training_sets.cases(store.engine)]


def _of_case(case: training_sets.Case, store: Store) -> Found:
    prediction, told = case.prediction, case.drawn_by or case.label
    # What only claims to be an audit was volunteered.
    source = "volunteered" if told.source == "audit" and not prediction.audit else told.source
    newest = {each.given_by: each.mood for each in case.labels if each.source == OVERRULES and each.mood}
    return Found(
        prediction.id,
        case.label.label,
        source,
        told.queue,
        prediction.visitor,
        prediction.made_at,
        prediction.mood,
        prediction.model_version,
        prediction.face,
        partial(store.images.get, prediction.id),
        "train" if case.learned else case.side,
        len(set(newest.values())) > 1,
    )


def restore(settings: Settings, store: Store) -> None:
    """Read back what Comet has, as far as it is kept here. Raises CometError and SettingsError."""
    from vibecheck.comet.client import Comet
    from vibecheck.comet.restore import restore as read_back
    from vibecheck.comet.restore import since_days

    if settings.comet_api_key is None:
        raise SettingsError("Set COMET_API_KEY to fetch feedback and pictures from Comet.")
    read_back(Comet.open(settings), store, since_days(settings.retention_days))


def from_files(path: Path, pictures: Path | None, crops: bool, left_out: Counter[str]) -> list[Found]:
    """The pictures of a folder or a CSV file, as `python -m vibecheck import` would read them.

    Lines and folders that cannot be used are counted in `left_out`. Raises LabelsError.
    """
    if not path.exists():
        raise LabelsError(f"There is no {path}: --source takes store, comet, a folder or a CSV file.")
    detector = None if crops else FaceDetector()
    found, now = [], datetime.now(UTC)
    for line in label_files.read(path, pictures):
        if isinstance(line, Refused):
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
            f"No picture of {path} shows one face. If they are face crops already, add --crops."
        )
    return found


def _of_file(line: LabelledPicture, detector: FaceDetector | None, now: datetime) -> Found:
    data = read_bytes(line.path)
    picture, face = _kept(data, detector)
    return Found(
        id_of(data),
        line.label,
        "import",
        None,
        hash_of(line.visitor) if line.visitor else None,
        line.taken_at or now,
        None,
        None,
        face,
        lambda: picture,
    )


def _kept(data: bytes, detector: FaceDetector | None) -> tuple[bytes, Face | None]:
    """What of a picture is kept, as of a visitor's photo: the face, not the room."""
    picture = decode(data)
    if detector is None:
        small = max(picture.shape[:2]) <= KEPT_SIDE
        return (data if small else encode_jpeg(picture)), None
    faces = detector.find(picture) or detector.find(picture, STILL_SIDE)
    if not faces or (len(faces) > 1 and faces[1].area > RIVAL * faces[0].area):
        raise NoFace("It does not show one face.")
    face = detector.refine(picture, detector.refine(picture, faces[0]))
    kept, kept_face = kept_crop(picture, face)
    return encode_jpeg(kept), kept_face
