"""These tests import torch, as exporting a model does."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from finetune.embedded import ferplus
from tests.conftest import missing
from tests.standins.models import small_vit
from vibecheck.emotions import NAMES
from vibecheck.errors import ModelError
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.sample_faces import face_crops

pytestmark = pytest.mark.filterwarnings("default")  # what torch warns of is not ours to mend


@pytest.fixture(scope="module")
def candidates():
    from vibecheck.export import candidates

    return candidates


def made(candidates, folder: Path, faces: np.ndarray, calibration: np.ndarray, wrap=lambda model: model):
    """The report on a model folder, measured on and quantised with these faces."""
    from vibecheck.export.torch_model import open_folder

    model, _ = open_folder(folder, Manifest(version=folder.name), attention="eager")
    return candidates.make(folder, wrap(model), faces, calibration, 1, lambda step, done, total: None)


@pytest.fixture(scope="module")
def embedded(candidates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "embedded"
    shutil.copytree(EMBEDDED, folder, ignore=shutil.ignore_patterns("model.onnx"))
    told = []
    return folder, candidates.compile_folder(folder, tell=lambda *step: told.append(step)), told


@pytest.mark.slow
def test_fastest_candidate_that_agrees_with_transformers_is_chosen(embedded, candidates):
    folder, report, told = embedded
    by_name = {each["name"]: each for each in report["candidates"]}
    assert list(by_name) == ["fp32", "int8 static", "int8 static but the first"]
    taken = [each for each in report["candidates"] if not each["refused"]]
    assert report["candidate"] == min(taken, key=lambda each: each["ms"])["name"]
    for each in report["candidates"]:
        good = each["agreement"] >= 0.99 and each["mean_difference"] <= 0.03
        assert bool(each["refused"]) is not good
    assert by_name["fp32"]["agreement"] == 1 and by_name["fp32"]["mean_difference"] < 1e-5
    assert report["pixels"] == "the whole face crop, 80 px"
    assert report["faces"] == 200 and report["ms"] == by_name[report["candidate"]]["ms"]
    assert (folder / "model.onnx").stat().st_size == by_name[report["candidate"]]["bytes"]
    assert {step for step, _, _ in told} == {"compiling", "checking"}


def test_embedded_model_answers_as_pytorch_does_on_faces_not_used_for_choosing_it():
    import torch

    from vibecheck.export.torch_model import open_folder

    classifier = Classifier.load(EMBEDDED)
    faces = face_crops(classifier.manifest, classifier.side, 200, seed=77)
    model, _ = open_folder(EMBEDDED, classifier.manifest)
    with torch.inference_mode():
        theirs = model(torch.from_numpy(faces)).softmax(1).numpy()
    logits = classifier._logits(faces)
    ours = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert (ours.argmax(1) == theirs.argmax(1)).mean() >= 0.98
    assert np.abs(ours - theirs).mean() <= 0.005


def test_8_bit_weights_of_the_embedded_model_need_no_vnni():
    """Two products of an 8-bit activation and an 8-bit weight overflow the 16 bits that AVX2 adds them in."""
    graph = onnx.load(EMBEDDED / "model.onnx").graph
    weights = [
        each for each in graph.initializer if len(each.dims) == 4 and each.data_type == onnx.TensorProto.INT8
    ]
    assert len(weights) == 20
    assert max(np.abs(numpy_helper.to_array(each).astype(int)).max() for each in weights) <= 64


@pytest.mark.slow
def test_8_bit_layers_shrink_the_file_to_a_third(embedded):
    _, report, _ = embedded
    by_name = {each["name"]: each["bytes"] for each in report["candidates"]}
    assert by_name["int8 static"] < by_name["fp32"] / 3


def test_model_whose_answers_change_in_the_export_is_refused(candidates, tmp_path):
    import torch

    class Turncoat(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model
            self.manifest, self.pixels, self.reference = model.manifest, model.pixels, model.reference

        def forward(self, pixels):
            logits = self.model(pixels)
            return -logits if torch.compiler.is_exporting() else logits

    folder = small_vit(tmp_path / "vit", NAMES)
    before = sorted(folder.iterdir())
    few = face_crops(Manifest(version="vit"), 32, 20)
    with pytest.raises(ModelError, match=r"answers as transformers does \(fp32: its top mood is the same on"):
        made(candidates, folder, few, few, Turncoat)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("wrong", "shift", "refused"),
    [
        (0, 0.0, ""),
        (2, 0.0, ""),
        (3, 0.0, "98.5%"),
        (0, 0.029, ""),
        (0, 0.031, "0.031"),
        (9, 0.05, "and its probabilities"),
    ],
)
def test_candidate_is_refused_beyond_the_limits_of_disagreement(candidates, tmp_path, wrong, shift, refused):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"123")
    truth = np.tile([0.7, 0.1, 0.1, 0.1, 0, 0, 0], (200, 1))
    said = truth.copy()
    said[:wrong] = np.roll(said[:wrong], 1, axis=1)
    said += shift * np.where(np.arange(7) % 2, 1, -1)
    found = candidates._judged("x", path, 3.0, said, truth)
    assert found.bytes == 3 and bool(found.refused) is bool(refused) and refused in found.refused


def test_answer_with_nan_is_refused(candidates, tmp_path):
    path = tmp_path / "model.onnx"
    path.touch()
    broken = np.full((5, 7), np.nan)
    assert candidates._judged("x", path, 1.0, broken, broken).refused


@pytest.mark.slow
@pytest.mark.shared_data
def test_8_bit_vision_transformer_answers_alike_on_real_faces(candidates, shared, tmp_path):
    """Trained for a short while only, but on real faces: it knows some moods and doubts others."""
    import torch

    splits = [shared / "data" / "ferplus" / f"{name}.parquet" for name in ("test", "valid")]
    for path in splits:
        if not path.is_file():
            missing(f"{path} is not here")
    known, fresh = map(ferplus.read, splits)
    larger = {"patch_size": 12, "hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 3}
    folder = small_vit(tmp_path / "vit", NAMES, 48, intermediate_size=192, initializer_range=0.02, **larger)
    known = known.take(known.truth >= 0)
    most_common = np.bincount(known.truth).max() / len(known)
    assert train(folder, known) > most_common + 0.04, "it has learned something"

    pictures = np.repeat(fresh.pictures[:250, ..., np.newaxis], 3, axis=3)
    torch.set_num_threads(1)
    report = made(candidates, folder, pictures[:200], pictures[200:])
    by_name = {each["name"]: each for each in report["candidates"]}
    assert list(by_name) == ["fp32", "int8 dynamic"]
    assert by_name["int8 dynamic"]["agreement"] >= 0.97
    assert by_name["int8 dynamic"]["mean_difference"] <= 0.03


def train(folder: Path, faces: ferplus.Faces, steps: int = 450, rate: float = 1.5e-3) -> float:
    """Teach a model folder what most people saw in faces; returns its accuracy on a thousand of them."""
    import torch
    from transformers import ViTForImageClassification

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = ViTForImageClassification.from_pretrained(folder).train()
    pixels = torch.from_numpy(faces.pictures).unsqueeze(1).float() / 127.5 - 1
    truth = torch.from_numpy(faces.truth)
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=0.15)
    dice = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = torch.randint(len(truth), (64,), generator=dice)
        shown = pixels[batch].expand(-1, 3, -1, -1)
        shown = shown.flip(3) if torch.rand(1, generator=dice) < 0.5 else shown
        loss = torch.nn.functional.cross_entropy(model(shown).logits, truth[batch])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.eval().save_pretrained(folder)
    with torch.inference_mode():
        said = [model(part.expand(-1, 3, -1, -1)).logits.argmax(1) for part in pixels[:1000].split(200)]
    return float((torch.cat(said) == truth[:1000]).float().mean())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{}"),
        ("config.json", '{"id2label": {"0": "cat"}}'),
        ("preprocessor_config.json", "{"),
        ("model.safetensors", "not weights"),
    ],
)
def test_folder_that_cannot_be_compiled_is_refused_and_left_unchanged(candidates, tmp_path, name, content):
    folder = small_vit(tmp_path / "vit", NAMES)
    (folder / name).write_text(content)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(ModelError):
        candidates.compile_folder(folder)
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.slow
def test_folder_without_a_manifest_gets_one_named_after_it(candidates, tmp_path):
    folder = small_vit(tmp_path / "my vit", NAMES)
    candidates.compile_folder(folder)
    assert Classifier.load(folder).version == "my-vit"


def test_pickled_weights_are_never_opened(candidates, tmp_path):
    import torch

    folder = small_vit(tmp_path / "vit", NAMES)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError):
        candidates.compile_folder(folder)
