"""Adapting the batch-norm statistics of a network to another camera before training. Imports torch."""

import cv2
import numpy as np
import pytest

from tests.finetune.training.test_student import SIDE, student_of
from tests.standins.models import small_vit
from vibecheck.emotions import NAMES
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.sample_faces import face_crops

pytestmark = pytest.mark.filterwarnings("default")  # what torch warns of is not ours to mend

COUNT = 120


@pytest.fixture
def embedded():
    return student_of(EMBEDDED, Manifest.read(EMBEDDED))[0]


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return face_crops(Manifest.read(EMBEDDED), SIDE, COUNT)


def another_cameras(faces: np.ndarray) -> np.ndarray:
    return np.stack([cv2.GaussianBlur((face * 0.15).astype(np.uint8), (0, 0), 3) for face in faces])


def said(student, faces: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
        return student.eval().answers(torch.from_numpy(faces)).argmax(1).numpy()


def rows_of(faces: np.ndarray, labels: np.ndarray):
    from datasets import Dataset

    columns = {
        "pixels": [face.tobytes() for face in faces],
        "label": labels.tolist(),
        "teacher": [[1 / 7] * len(NAMES)] * len(faces),
    }
    return Dataset.from_dict(columns)


def state_of(student) -> dict:
    return {name: value.clone() for name, value in student.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [0.0, 0.2], ids=["right labels", "a fifth is wrong"])
def test_adaptation_improves_agreement_on_pictures_of_another_camera(embedded, faces, wrong):
    from finetune.training.adaptation import adapt_batch_norm

    truth = said(embedded, faces)
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(COUNT) < wrong, rng.integers(0, 7, COUNT), truth)
    before = state_of(embedded)
    agreed = (said(embedded, another_cameras(faces)) == truth).mean()
    share = adapt_batch_norm(embedded, rows_of(another_cameras(faces), labels))
    assert share > 0
    assert (said(embedded, another_cameras(faces)) == truth).mean() > agreed + 0.05
    changed = {name for name, value in embedded.state_dict().items() if not value.equal(before[name])}
    assert changed and all(name.endswith(("running_mean", "running_var")) for name in changed)


@pytest.mark.slow
def test_adaptation_to_familiar_pictures_changes_few_answers(embedded, faces):
    from finetune.training.adaptation import adapt_batch_norm

    truth = said(embedded, faces)
    adapt_batch_norm(embedded, rows_of(faces, truth))
    assert (said(embedded, faces) == truth).mean() > 0.95


def test_adaptation_is_skipped_with_too_few_pictures(embedded, faces):
    from finetune.training.adaptation import FEWEST, adapt_batch_norm

    dark = another_cameras(faces[: FEWEST - 1])
    before = state_of(embedded)
    assert adapt_batch_norm(embedded, rows_of(dark, np.zeros(len(dark), int))) == 0
    assert all(value.equal(before[name]) for name, value in embedded.state_dict().items())


def test_network_without_batch_norm_is_left_unchanged(tmp_path):
    from finetune.training.adaptation import adapt_batch_norm

    student, side = student_of(small_vit(tmp_path / "vit", list(NAMES)), Manifest(version="m-1"))
    faces = np.zeros((60, side, side, 3), np.uint8)
    before = state_of(student)
    assert adapt_batch_norm(student, rows_of(faces, np.zeros(60, int))) == 0
    assert all(value.equal(before[name]) for name, value in student.state_dict().items())
