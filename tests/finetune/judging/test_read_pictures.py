import cv2
import numpy as np
import pytest

from finetune.judging.read_pictures import read_reference
from vibecheck.errors import LabelsError
from vibecheck.vision.images import read_file


def test_reference_pictures_are_read_like_photos_in_the_app(
    astronaut, classifier, reader, tmp_path, monkeypatch
):
    (tmp_path / "happy").mkdir()
    middle = (astronaut.shape[1] / 2, astronaut.shape[0] / 2)
    tilted = cv2.warpAffine(astronaut, cv2.getRotationMatrix2D(middle, 25, 1.0), astronaut.shape[1::-1])
    path = tmp_path / "happy" / "tilted.png"
    cv2.imwrite(str(path), tilted[..., ::-1])
    (tmp_path / "happy" / "damaged.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "hapy").mkdir()
    expected = reader.read_still(read_file(path))
    read: list[np.ndarray] = []
    read_face = classifier.read_face
    monkeypatch.setattr(classifier, "read_face", lambda *of: read.append(read_face(*of)) or read[-1])
    found, unusable = read_reference([classifier, classifier], tmp_path)
    assert (unusable, found.n) == (2, 1)
    assert found.champion == found.challenger == (expected.mood == "happy")
    assert len(read) == 2 and read[0] == pytest.approx(expected.probabilities)


def test_a_reference_set_without_readable_pictures_is_refused(classifier, tmp_path):
    (tmp_path / "sad").mkdir()
    (tmp_path / "sad" / "damaged.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(LabelsError, match="holds no labelled picture that can be read"):
        read_reference([classifier], tmp_path)
