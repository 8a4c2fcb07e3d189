import numpy as np

from vibecheck.vision.crops import crop
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.sample_faces import face_crops

MANIFEST = Manifest(version="m", crop_scale=0.85)


def test_sample_faces_have_the_model_size_and_are_reproducible():
    faces = face_crops(MANIFEST, 48, 41)
    assert faces.shape == (41, 48, 48, 3) and faces.dtype == np.uint8
    assert np.array_equal(faces, face_crops(MANIFEST, 48, 41))
    assert not np.array_equal(faces, face_crops(MANIFEST, 48, 41, seed=1))
    assert len({face.tobytes() for face in faces}) == 41


def test_sharp_sample_faces_are_classified_as_happy(classifier):
    faces = face_crops(classifier.manifest, classifier.side, 40)
    moods = classifier.probabilities(faces[::4]).argmax(axis=1)
    assert (moods == 3).mean() >= 0.8


def test_given_pictures_come_first(reader, astronaut):
    seen = reader.read_still(astronaut)
    kept = [seen.kept()]
    faces = face_crops(MANIFEST, 64, 10, kept=kept)
    assert np.array_equal(faces[0], crop(*seen.kept(), 64, MANIFEST.crop_scale))
    assert np.array_equal(faces[1:], face_crops(MANIFEST, 64, 9)), "one was given, the rest are others"
    assert len(face_crops(MANIFEST, 64, 1, kept=kept * 5)) == 1
