"""These tests import torch, as the export does."""

import json
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from tests.standins.models import small_vit
from vibecheck.emotions import NAMES
from vibecheck.errors import ModelError
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.sample_faces import face_crops, face_probes

pytestmark = pytest.mark.filterwarnings("default")  # what torch warns of is not ours to mend


def exported(folder: Path) -> Classifier:
    """The model of a folder, exported to its model.onnx in full precision."""
    import torch

    from vibecheck.export.onnx_export import export
    from vibecheck.export.torch_model import open_folder

    if not (folder / "vibecheck.json").exists():
        Manifest(version="v").write(folder)
    model, side = open_folder(folder, Manifest.read(folder), attention="eager")
    onnx.save(export(model, torch.zeros((2, side, side, 3), dtype=torch.uint8)), folder / "model.onnx")
    return Classifier.load(folder)


def crops_of(count: int, side: int) -> np.ndarray:
    return np.stack([cv2.resize(face, (side, side)) for face in face_probes(count)])


def pytorch_probabilities(folder: Path, crops: np.ndarray) -> np.ndarray:
    import torch

    from vibecheck.export.torch_model import open_folder

    model, _ = open_folder(folder, Manifest.read(folder))
    with torch.inference_mode():
        return model(torch.from_numpy(crops)).softmax(1).numpy()


def plain(classifier: Classifier) -> Classifier:
    """The classifier without what is no part of the graph: the prior's correction, mirror images."""
    changes = {"prior_strength": 0.0, "mirrored": False}
    classifier.manifest = classifier.manifest.model_copy(update=changes)
    return classifier


@pytest.fixture(scope="module")
def embedded(tmp_path_factory) -> tuple[Path, Classifier]:
    """A copy of the embedded model's folder, exported."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    shutil.copytree(EMBEDDED, folder, ignore=shutil.ignore_patterns("model.onnx"))
    return folder, exported(folder)


@pytest.mark.slow  # test_candidates compares the model.onnx that ships
def test_export_of_the_embedded_model_answers_as_pytorch_does_on_real_faces(embedded):
    folder, classifier = embedded
    crops = face_crops(classifier.manifest, classifier.side, 60)
    difference = plain(classifier).probabilities(crops) - pytorch_probabilities(folder, crops)
    assert np.abs(difference).max() < 1e-4


@pytest.mark.slow
def test_batch_norm_is_folded_into_the_convolutions(embedded, tmp_path):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "as_it_runs.onnx")
    onnxruntime.InferenceSession(embedded[0] / "model.onnx", options)
    left = Counter(node.op_type for node in onnx.load(tmp_path / "as_it_runs.onnx").graph.node)
    assert left["FusedConv"] + left["Conv"] == 20
    assert not left["BatchNormalization"] and left["Cast"] == 1  # that of the pixels


def test_vision_transformer_with_other_label_names_is_exported(tmp_path):
    labels = ["sadness", "disgust", "anger", "neutral", "fearful", "surprised", "happiness"]
    folder = small_vit(tmp_path / "my vit", labels)
    classifier = exported(folder)
    crops = crops_of(20, classifier.side)
    theirs = pytorch_probabilities(folder, crops)
    order = [
        labels.index(name)
        for name in ("anger", "disgust", "fearful", "happiness", "neutral", "sadness", "surprised")
    ]
    assert classifier.probabilities(crops) == pytest.approx(theirs[:, order], abs=1e-4)


@pytest.mark.slow
def test_colour_changes_the_answers_of_a_colour_model_but_hardly_of_a_grey_one(tmp_path):
    crops = crops_of(5, 32)
    luma = (crops @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    grey_crops = np.repeat(luma[..., np.newaxis], 3, axis=3)
    changes = []
    for grey in (False, True):
        folder = small_vit(tmp_path / f"vit-{grey}", NAMES)
        (folder / "vibecheck.json").write_text(json.dumps({"version": "v", "grey": grey}))
        classifier = exported(folder)
        change = np.abs(classifier.probabilities(crops) - classifier.probabilities(grey_crops)).max()
        changes.append(change)
    in_colour, in_grey = changes
    assert in_colour > 5 * in_grey


@pytest.mark.slow
def test_temperature_is_applied_inside_the_graph(tmp_path):
    crops = crops_of(5, 32)
    logits = []
    for temperature in (1.0, 2.5):
        folder = small_vit(tmp_path / f"vit-{temperature}", NAMES)
        Manifest(version="v", temperature=temperature).write(folder)
        shares = exported(folder).probabilities(crops)
        logits.append(np.log(shares) - np.log(shares).mean(1, keepdims=True))
    assert logits[0] == pytest.approx(2.5 * logits[1], abs=1e-3)


@pytest.mark.slow
def test_a_temperature_that_was_changed_after_the_export_is_refused(tmp_path):
    folder = small_vit(tmp_path / "vit", NAMES)
    exported(folder)
    Manifest(version="v", temperature=1.7).write(folder)
    with pytest.raises(ModelError, match="another temperature"):
        Classifier.load(folder)
    assert exported(folder).version == "v"
