"""These tests import torch, as exporting a model does."""

from pathlib import Path

import numpy as np
import pytest

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


def prepared(candidates, source: Path, folder: Path, faces=None, others=None, model=None):
    """A copy of a model folder with the best candidate in it, what was measured, and what was told."""
    import shutil

    from vibecheck.export import torch_model

    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("model.onnx"))
    if not (folder / "vibecheck.json").exists():
        Manifest(version=folder.name).write(folder)
    manifest = Manifest.read(folder)
    opened, side = torch_model.open_folder(folder, manifest, attention="eager")
    faces = face_crops(manifest, side) if faces is None else faces(side)
    others = face_crops(manifest, side, 50, seed=1) if others is None else others(side)
    work = folder / "work"
    work.mkdir()
    told = []
    report = candidates.make(
        folder, model(opened) if model else opened, faces, others, work, 1, lambda *step: told.append(step)
    )
    return report, told


@pytest.fixture(scope="module")
def embedded(candidates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "embedded"
    return folder, *prepared(candidates, EMBEDDED, folder)


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
    assert by_name["fp32"]["agreement"] == 1 and by_name["fp32"]["largest_difference"] < 1e-4
    assert report["pixels"] == "the whole face crop, 80 px"
    assert report["faces"] == 200 and report["ms"] == by_name[report["candidate"]]["ms"]
    assert (folder / "model.onnx").stat().st_size == by_name[report["candidate"]]["bytes"]
    assert {step for step, _, _ in told} == {"compiling", "checking"}


@pytest.mark.slow
def test_8_bit_trained_model_answers_alike_on_faces_not_used_for_choosing_it(embedded):
    folder, _, _ = embedded
    fresh = face_crops(Manifest.read(EMBEDDED), 80, 300, seed=77)
    made, shipped = Classifier.load(folder), Classifier.load(EMBEDDED)
    ours, theirs = made.probabilities(fresh), shipped.probabilities(fresh)
    assert (ours.argmax(1) == theirs.argmax(1)).mean() >= 0.97
    assert np.abs(ours - theirs).mean() <= 0.03


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

    def few(side: int) -> np.ndarray:
        return face_crops(Manifest(version="vit"), side, 20)

    folder = tmp_path / "vit"
    with pytest.raises(ModelError, match=r"answers as transformers does \(fp32: its top mood is the same on"):
        prepared(candidates, small_vit(tmp_path / "source", NAMES), folder, few, few, model=Turncoat)
    assert not (folder / "model.onnx").exists()


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
    answers = (
        candidates.MeasuredAnswers(said, [3.0, 1.0, 2.0, 9.0]),
        candidates.MeasuredAnswers(truth, [1.0] * 4),
    )
    found = candidates._judged("x", path, *answers)
    assert found.bytes == 3 and bool(found.refused) is bool(refused) and refused in found.refused


def test_answer_with_nan_is_refused(candidates, tmp_path):
    path = tmp_path / "model.onnx"
    path.touch()
    broken = candidates.MeasuredAnswers(np.full((5, 7), np.nan), [1.0] * 5)
    assert candidates._judged("x", path, broken, broken).refused


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
    source = small_vit(
        tmp_path / "source", NAMES, 48, intermediate_size=192, initializer_range=0.02, **larger
    )
    known = known.take(known.truth >= 0)
    most_common = np.bincount(known.truth).max() / len(known)
    assert train(source, known) > most_common + 0.04, "it has learned something"

    def cut(start, count):
        return lambda side: np.repeat(fresh.pictures[start : start + count, ..., np.newaxis], 3, axis=3)

    folder = tmp_path / "vit"
    torch.set_num_threads(1)
    report, _ = prepared(candidates, source, folder, cut(0, 200), cut(1000, 50))
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
