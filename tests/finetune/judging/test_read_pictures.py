import cv2
import numpy as np
import pytest

from finetune.judging.read_pictures import read_reference
from vibecheck.emotions import NAMES
from vibecheck.errors import LabelsError
from vibecheck.vision.images import read_file


def test_reference_pictures_are_read_like_photos_in_the_app(astronaut, classifier, reader, tmp_path):
    (tmp_path / "happy").mkdir()
    middle = (astronaut.shape[1] / 2, astronaut.shape[0] / 2)
    tilted = cv2.warpAffine(astronaut, cv2.getRotationMatrix2D(middle, 25, 1.0), astronaut.shape[1::-1])
    path = tmp_path / "happy" / "tilted.png"
    cv2.imwrite(str(path), tilted[..., ::-1])
    (tmp_path / "happy" / "damaged.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "hapy").mkdir()
    (first, second), labels, unusable = read_reference([classifier, classifier], tmp_path)
    assert unusable == 2
    assert labels.tolist() == [NAMES.index("happy")] and np.array_equal(first, second)
    assert first[0] == pytest.approx(reader.read_still(read_file(path)).probabilities)


def test_a_reference_set_without_readable_pictures_is_refused(classifier, tmp_path):
    (tmp_path / "sad").mkdir()
    (tmp_path / "sad" / "damaged.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(LabelsError, match="holds no labelled picture that can be read"):
        read_reference([classifier], tmp_path)
