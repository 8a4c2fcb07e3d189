from datetime import UTC, datetime

import numpy as np
import pytest

from tests.records.examples import open_store
from vibecheck import check
from vibecheck.settings import Settings
from vibecheck.vision.crops import crop
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.reader import Moment
from vibecheck.vision.sample_faces import face_crops

MANIFEST = Manifest(version="m", crop_scale=0.85)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    store = open_store(Settings(data=tmp_path))
    yield store
    store.close()


def record(store, reading, keep: bool):
    prediction, best = check.predict(Moment.of(reading), source="photo", visitor="v", now=NOW)
    return check.record(store, prediction, best, keep)


def test_faces_are_cut_to_the_model_s_size_and_are_the_same_each_time():
    faces = face_crops(MANIFEST, 48, 41)
    assert faces.shape == (41, 48, 48, 3) and faces.dtype == np.uint8
    assert np.array_equal(faces, face_crops(MANIFEST, 48, 41))
    assert not np.array_equal(faces, face_crops(MANIFEST, 48, 41, seed=1))
    assert len({face.tobytes() for face in faces}) == 41


def test_some_of_them_show_a_face_that_is_sharp_and_reads_as_happy(classifier):
    faces = face_crops(classifier.manifest, classifier.side, 40)
    moods = classifier.probabilities(faces[::4]).argmax(axis=1)
    assert (moods == 3).mean() >= 0.8


def test_pictures_that_visitors_let_us_keep_come_first(store, reader, astronaut):
    seen = reader.read_still(astronaut)
    kept = record(store, seen, keep=True)
    record(store, seen, keep=False)
    faces = face_crops(MANIFEST, 64, 10, store=store)
    expected = crop(seen.kept, kept.face, 64, MANIFEST.crop_scale)
    assert np.abs(faces[0].astype(float) - expected).mean() < 4, "but for the JPEG between them"
    assert np.array_equal(faces[1:], face_crops(MANIFEST, 64, 9)), "one was kept, the rest are others"
    assert len(face_crops(MANIFEST, 64, 1, store=store)) == 1


def test_a_picture_that_is_gone_is_no_trouble(store, reader, astronaut, tmp_path):
    record(store, reader.read_still(astronaut), keep=True)
    (picture,) = (tmp_path / "images").rglob("*.jpg")
    picture.write_bytes(b"damaged")
    assert len(face_crops(MANIFEST, 32, 8, store=store)) == 8
    picture.unlink()
    assert np.array_equal(face_crops(MANIFEST, 32, 8, store=store), face_crops(MANIFEST, 32, 8))
