"""These tests import torch, as the compiler does."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.standins.models import small_vit
from vibecheck.emotions import NAMES
from vibecheck.errors import ModelError
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.crops import model_crop
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.sample_faces import face_probes

pytestmark = pytest.mark.filterwarnings("default")  # what torch warns of is not ours to mend


@pytest.fixture(scope="module")
def compiler():
    from vibecheck.export import onnx_export

    return onnx_export


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


def test_the_embedded_model_answers_as_pytorch_does_on_real_faces(compiler, astronaut, detector):
    classifier = plain(Classifier.load(EMBEDDED))
    crops = [model_crop(astronaut, detector.find(astronaut)[0], classifier.side, classifier.manifest)]
    crops += [compiler._resized(face[np.newaxis], classifier.side)[0] for face in face_probes(60)]
    crops = np.stack(crops)
    difference = classifier.probabilities(crops) - pytorch_probabilities(EMBEDDED, crops)
    assert np.abs(difference).max() < 1e-4


@pytest.fixture(scope="module")
def compiled(compiler, tmp_path_factory) -> tuple[Path, float]:
    """The embedded model's folder, compiled again, and by how much its answers differ from PyTorch's."""
    folder = tmp_path_factory.mktemp("compiled") / "model"
    shutil.copytree(EMBEDDED, folder, ignore=shutil.ignore_patterns("model.onnx"))
    return folder, compiler.compile_folder(folder, face_probes(20))


@pytest.mark.slow
def test_compiling_the_embedded_model_again_changes_no_answer(compiler, compiled):
    folder, worst = compiled
    assert worst < 1e-5
    again, shipped = Classifier.load(folder), Classifier.load(EMBEDDED)
    crops = compiler._resized(face_probes(20), shipped.side)
    assert again.manifest == shipped.manifest
    assert again.probabilities(crops) == pytest.approx(shipped.probabilities(crops), abs=1e-6)
    assert (folder / "model.onnx").stat().st_size < 1.1 * (folder / "model.safetensors").stat().st_size
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in EMBEDDED.iterdir())


@pytest.mark.slow
def test_batch_norm_is_folded_into_the_convolutions(compiled, tmp_path):
    for path in (EMBEDDED / "model.onnx", compiled[0] / "model.onnx"):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(tmp_path / "as_it_runs.onnx")
        onnxruntime.InferenceSession(path, options)
        left = Counter(node.op_type for node in onnx.load(tmp_path / "as_it_runs.onnx").graph.node)
        assert left["FusedConv"] + left["Conv"] == 20
        assert not left["BatchNormalization"] and left["Cast"] == 1  # that of the pixels


def test_vision_transformer_with_other_label_names_is_compiled(compiler, tmp_path):
    labels = ["sadness", "disgust", "anger", "neutral", "fearful", "surprised", "happiness"]
    folder = small_vit(tmp_path / "my vit", labels)
    assert compiler.compile_folder(folder, face_probes(20)) < 1e-4
    classifier = Classifier.load(folder)
    assert (classifier.version, classifier.side) == ("my-vit", 32)
    crops = compiler._resized(face_probes(20), 32)
    theirs = pytorch_probabilities(folder, crops)
    order = [
        labels.index(name)
        for name in ("anger", "disgust", "fearful", "happiness", "neutral", "sadness", "surprised")
    ]
    assert classifier.probabilities(crops) == pytest.approx(theirs[:, order], abs=1e-4)


@pytest.mark.slow
def test_colour_changes_the_answers_of_a_colour_model_but_hardly_of_a_grey_one(compiler, tmp_path):
    crops = compiler._resized(face_probes(5), 32)
    luma = (crops @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    grey_crops = np.repeat(luma[..., np.newaxis], 3, axis=3)
    changes = []
    for grey in (False, True):
        folder = small_vit(tmp_path / f"vit-{grey}", NAMES)
        (folder / "vibecheck.json").write_text(json.dumps({"version": "v", "grey": grey}))
        compiler.compile_folder(folder, face_probes(5))
        classifier = Classifier.load(folder)
        change = np.abs(classifier.probabilities(crops) - classifier.probabilities(grey_crops)).max()
        changes.append(change)
    in_colour, in_grey = changes
    assert in_colour > 5 * in_grey


@pytest.mark.slow
def test_temperature_is_applied_inside_the_graph(compiler, tmp_path):
    crops = compiler._resized(face_probes(5), 32)
    logits = []
    for temperature in (1.0, 2.5):
        folder = small_vit(tmp_path / f"vit-{temperature}", NAMES)
        Manifest(version="v", temperature=temperature).write(folder)
        compiler.compile_folder(folder, face_probes(5))
        shares = Classifier.load(folder).probabilities(crops)
        logits.append(np.log(shares) - np.log(shares).mean(1, keepdims=True))
    assert logits[0] == pytest.approx(2.5 * logits[1], abs=1e-3)


@pytest.mark.slow
def test_a_temperature_that_was_changed_after_compiling_is_refused(compiler, tmp_path):
    folder = small_vit(tmp_path / "vit", NAMES)
    compiler.compile_folder(folder, face_probes(5))
    Manifest(version="v", temperature=1.7).write(folder)
    with pytest.raises(ModelError, match="another temperature"):
        Classifier.load(folder)
    compiler.compile_folder(folder, face_probes(5))
    assert Classifier.load(folder).version == "v"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{}"),
        ("config.json", '{"id2label": {"0": "cat"}}'),
        ("preprocessor_config.json", "{"),
        ("model.safetensors", "not weights"),
    ],
)
def test_folder_that_cannot_be_compiled_is_refused_and_left_unchanged(compiler, tmp_path, name, content):
    folder = small_vit(tmp_path / "vit", NAMES)
    (folder / name).write_text(content)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(ModelError):
        compiler.compile_folder(folder, face_probes(5))
    assert sorted(path.name for path in folder.iterdir()) == before


def test_pickled_weights_are_never_opened(compiler, tmp_path):
    import torch

    folder = small_vit(tmp_path / "vit", NAMES)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError):
        compiler.compile_folder(folder, face_probes(5))
