"""Imports labelled pictures as predictions with feedback, processed like a visitor's photo.

The id of an imported prediction is a hash of its picture file. So a picture is stored once, however often and
under whatever name it is imported, and an interrupted import can be resumed.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from vibecheck import check
from vibecheck.errors import AlreadyStored, PictureError, UnknownPrediction
from vibecheck.importing.label_files import RefusedPicture
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.records.store import Store
from vibecheck.records.values import Prediction
from vibecheck.text.plurals import counted
from vibecheck.vision.faces import only_face
from vibecheck.vision.images import decode, read_bytes
from vibecheck.vision.reader import Moment, Reader

SOURCE = "import"
# The outcome for a picture that was not refused: whether it was stored already, and with the same label.
ImportStatus = Literal["new", "known", "relabelled"]


@dataclass(frozen=True, slots=True)
class ImportedPicture:
    """A labelled picture that is in the records now, with the prediction for it."""

    labelled: LabelledPicture
    prediction: Prediction
    status: ImportStatus

    @property
    def agreed(self) -> bool:
        """Whether the model predicted the label."""
        return self.prediction.mood == self.labelled.label


class Importer:
    """Imports labelled pictures into a store.

    `crops`: each picture is already a face crop. `now` is the time of the import, and of pictures without
    one. Pictures older than `retention_days` are refused: they would be deleted at once.
    """

    def __init__(
        self, store: Store, reader: Reader, *, crops: bool, now: datetime, retention_days: int
    ) -> None:
        self._store, self._reader, self._crops, self._now = store, reader, crops, now
        self._days = retention_days
        self._seen: dict[str, tuple[str, str]] = {}  # prediction id → label and place, in this import

    def run(
        self, lines: Iterable[LabelledPicture | RefusedPicture]
    ) -> Iterator[ImportedPicture | RefusedPicture]:
        """Import one after the other; each is on disk when it is yielded. Raises RecordsError."""
        for line in lines:
            if isinstance(line, RefusedPicture):
                yield line
                continue
            try:
                yield self._import(line)
            except PictureError as error:
                yield RefusedPicture(line.row, str(line.path), str(error))

    def _import(self, labelled: LabelledPicture) -> ImportedPicture:
        if labelled.made_at and labelled.made_at < self._now - timedelta(days=self._days):
            raise PictureError(
                f"It was taken more than {counted(self._days, 'day')} ago and would be deleted at once: "
                "raise VIBECHECK_RETENTION_DAYS, or leave its timestamp out."
            )
        assert labelled.path is not None  # imported pictures come from files
        data = read_bytes(labelled.path)
        prediction_id = id_of(data)
        label, place = self._seen.get(prediction_id, (labelled.label, ""))
        if label != labelled.label:
            raise PictureError(f"It is the same picture as {place}, which is labelled {label}.")
        try:
            stored = self._store.labelled(prediction_id)
        except UnknownPrediction:
            with suppress(AlreadyStored):  # by another import, while the picture was read
                self._add(prediction_id, labelled, data)
            stored = self._store.labelled(prediction_id)
        # The label of the last import; somebody may have corrected it since. There is none if that import was
        # interrupted before it labelled the picture.
        before = next((each.label for each in reversed(stored.labels) if each.source == SOURCE), None)
        status: ImportStatus = "known"
        if before != labelled.label:
            status = "relabelled" if before else "new"
            self._store.label(prediction_id, labelled.label, SOURCE, None, self._now)
        place = f"that of row {labelled.row}" if labelled.row else str(labelled.path)
        self._seen.setdefault(prediction_id, (labelled.label, place))
        return ImportedPicture(labelled, stored.prediction, status)

    def _add(self, prediction_id: str, labelled: LabelledPicture, data: bytes) -> None:
        picture = decode(data, name=str(labelled.path))
        if self._crops:
            reading = self._reader.read_crop(picture)
        else:
            reading = self._reader.read_still(picture)
            only_face(reading.faces)
        now = labelled.made_at or self._now
        prediction, best = check.predict(Moment.of(reading), source=SOURCE, visitor=labelled.visitor, now=now)
        check.record(self._store, replace(prediction, id=prediction_id), best, keep_picture=True)


def id_of(data: bytes) -> str:
    """The id of an imported prediction, from the bytes of its picture."""
    return hashlib.sha256(b"vibecheck import\0" + data).hexdigest()[:32]
