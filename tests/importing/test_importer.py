"""Labelled pictures are imported into the records: read like photos, stored once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.databases import open_store
from tests.records.rows import queued
from vibecheck.errors import RecordsError
from vibecheck.importing.importer import ImportedPicture, Importer
from vibecheck.importing.label_files import RefusedPicture
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.settings import Settings
from vibecheck.vision.images import decode

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    opened = open_store(Settings(data=tmp_path / "data"))
    yield opened
    opened.close()


@pytest.fixture
def bring(store, reader):
    """Imports labelled pictures, as a run of the command does."""

    def run(*labelled, crops=False, now=NOW):
        return list(Importer(store, reader, crops=crops, now=now, retention_days=90).run(labelled))

    return run


@pytest.fixture
def smile(tmp_path, astronaut) -> Path:
    path = tmp_path / "smile.png"
    Image.fromarray(astronaut).save(path, compress_level=1)
    return path


def test_a_labelled_picture_becomes_a_prediction_with_feedback(bring, store, smile, reader, astronaut):
    yesterday = NOW - timedelta(days=1)
    (done,) = bring(LabelledPicture(2, smile, "sad", "Ann", yesterday))
    assert done.status == "new" and not done.agreed
    stored = store.get(done.prediction.id)
    assert stored == done.prediction
    assert (stored.source, stored.mood, stored.made_at, stored.audit) == ("import", "happy", yesterday, False)
    assert stored.probabilities == pytest.approx(reader.read_still(astronaut).probabilities)
    assert stored.model_version == reader.classifier.version
    (label,) = store.feedback_of(stored.id)
    assert (label.label, label.source, label.given_at) == ("sad", "import", NOW)
    assert max(decode(store.picture(stored.id)).shape) <= 320, "only the face is kept, not the room"
    assert [row.kind for row in queued(store)] == ["prediction", "feedback"]


def test_importing_again_changes_nothing_whatever_the_file_is_called(bring, store, smile, tmp_path):
    bring(LabelledPicture(2, smile, "happy"))
    before = queued(store)
    moved = smile.rename(tmp_path / "renamed.png")
    (done,) = bring(LabelledPicture(9, moved, "happy", "Ann"), now=NOW + timedelta(days=3))
    assert done.status == "known" and store.count() == 1 and queued(store) == before


def test_later_list_with_another_label_corrects_the_label(bring, store, smile):
    bring(LabelledPicture(2, smile, "happy"))
    (done,) = bring(LabelledPicture(2, smile, "surprise"))
    assert done.status == "relabelled"
    assert [each.label for each in store.feedback_of(done.prediction.id)] == ["happy", "surprise"]


def test_same_list_does_not_overrule_a_correction_made_since(bring, store, smile):
    (done,) = bring(LabelledPicture(2, smile, "sad"))
    store.label(done.prediction.id, "happy", "labeller", "somebody", NOW)
    (again,) = bring(LabelledPicture(2, smile, "sad"))
    assert again.status == "known"
    assert store.feedback_of(done.prediction.id)[-1].label == "happy"


def test_second_label_of_one_picture_in_a_list_is_refused(bring, store, smile):
    first, same, other = bring(
        *(LabelledPicture(row, smile, label) for row, label in ((2, "happy"), (3, "happy"), (4, "sad")))
    )
    assert (first.status, same.status) == ("new", "known")
    assert other == RefusedPicture(
        4, str(smile), "It is the same picture as that of row 2, which is labelled happy."
    )
    assert len(store.feedback_of(first.prediction.id)) == 1


def test_interrupted_import_continues_with_the_missing_label(bring, store, smile, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store, "label", lambda *args: (_ for _ in ()).throw(RecordsError("The disk is full.")))
        with pytest.raises(RecordsError):
            bring(LabelledPicture(2, smile, "happy"))
    (done,) = bring(LabelledPicture(2, smile, "happy"))
    assert done.status == "new" and len(store.feedback_of(done.prediction.id)) == 1


def test_picture_without_a_face_or_unreadable_is_refused_and_the_rest_is_imported(
    bring, store, smile, empty_room, tmp_path
):
    cup, broken = tmp_path / "cup.jpg", tmp_path / "broken.jpg"
    Image.fromarray(empty_room).save(cup)
    broken.write_bytes(b"\xff\xd8\xff garbage")
    given = [cup, broken, tmp_path / "missing.jpg", tmp_path, smile]
    *refused, done = bring(*(LabelledPicture(row, path, "happy") for row, path in enumerate(given, 2)))
    assert isinstance(done, ImportedPicture) and store.count() == 1
    assert [each.row for each in refused] == [2, 3, 4, 5]
    assert "--crops" in refused[0].reason and "not a picture" in refused[1].reason
    assert "no file" in refused[2].reason and "folder" in refused[3].reason


def test_label_is_refused_when_two_faces_have_similar_size(bring, tmp_path, astronaut):
    twins, behind = tmp_path / "twins.png", tmp_path / "behind.png"
    face = astronaut[:300, 100:400]
    Image.fromarray(np.hstack([face, face])).save(twins)
    canvas = np.full((300, 600, 3), 128, np.uint8)
    canvas[:, :300], canvas[100:250, 400:550] = face, face[::2, ::2]
    Image.fromarray(canvas).save(behind)
    refused, done = bring(LabelledPicture(2, twins, "happy"), LabelledPicture(3, behind, "happy"))
    assert "2 faces" in refused.reason
    assert isinstance(done, ImportedPicture)


def test_face_crops_are_taken_whole(bring, store, tmp_path, astronaut, detector):
    face = detector.find(astronaut)[0]
    x, y, side = int(face.x), int(face.y), int(face.side)
    path = tmp_path / "crop.png"
    Image.fromarray(astronaut[y : y + side, x : x + side]).resize((48, 48)).convert("L").save(path)
    (done,) = bring(LabelledPicture(2, path, "happy"), crops=True)
    assert done.agreed and store.picture(done.prediction.id)


def test_picture_past_its_retention_is_refused(bring, store, smile):
    (old,) = bring(LabelledPicture(2, smile, "happy", None, NOW - timedelta(days=91)))
    assert "VIBECHECK_RETENTION_DAYS" in old.reason and store.count() == 0


def test_two_imports_of_one_picture_at_once_both_succeed(bring, smile, reader, monkeypatch):
    read, labelled = reader.read_still, LabelledPicture(2, smile, "happy")

    def meanwhile(picture):
        monkeypatch.setattr(reader, "read_still", read)
        (other,) = bring(labelled)
        assert other.status == "new"
        return read(picture)

    monkeypatch.setattr(reader, "read_still", meanwhile)
    (done,) = bring(labelled)
    assert done.status == "known"
