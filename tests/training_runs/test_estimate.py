import json
import os
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from vibecheck.errors import ModelError
from vibecheck.training_runs import estimate, resources
from vibecheck.training_runs.estimate import Size
from vibecheck.training_runs.recipe import TrainingRecipe
from vibecheck.vision.classifier import EMBEDDED

SMALL = Size(4_000_000, 80, 4.0, 10.0)
LARGE = Size(86_000_000, 224, 450.0, 160.0)


def recipe(head_epochs: int, epochs: int, batch: int, frozen: float) -> TrainingRecipe:
    return TrainingRecipe(head_epochs, epochs, batch=batch, frozen=frozen)


def transformer(folder: Path, side: int = 32) -> Path:
    """A small vision transformer as Hugging Face saves it, without torch, which takes seconds to load."""
    folder.mkdir()
    config = {"patch_size": 8, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    (folder / "config.json").write_text(json.dumps(config | {"image_size": side}))
    processor = {"size": {"height": side, "width": side}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    shapes = {"patches": (32, 3, 8, 8), "positions": ((side // 8) ** 2 + 1, 32), "layer": (12, 32, 32)}
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors")
    return folder


def test_size_of_the_embedded_model_is_measured():
    size = estimate.size_of(EMBEDDED)
    assert size.parameters == pytest.approx(3.95e6, rel=0.02) and size.side == 80
    assert 1 < size.forward_ms < 20 and 1 < size.activations_mb < 50


def test_size_of_a_transformer_grows_with_its_input(tmp_path):
    small = estimate.size_of(transformer(tmp_path / "small", 32))
    large = estimate.size_of(transformer(tmp_path / "large", 64))
    assert small.parameters < large.parameters < 1.5 * small.parameters
    assert 3 < large.forward_ms / small.forward_ms < 6


def test_speed_measured_on_this_machine_takes_precedence(tmp_path):
    folder = transformer(tmp_path / "model")
    (folder / "report.json").write_text(json.dumps({"pytorch_ms": 250.0, "threads": 2}))
    assert estimate.size_of(folder).forward_ms == 500.0
    (folder / "report.json").write_text("damaged")
    assert estimate.size_of(folder).forward_ms < 10


def test_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="not a model folder"):
        estimate.size_of(tmp_path)
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError, match="no weights"):
        estimate.size_of(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="damaged"):
        estimate.size_of(tmp_path)


def test_more_pictures_passes_or_trained_layers_take_longer():
    passes = recipe(2, 4, 8, 0.5)
    plain = estimate.of(LARGE, 400, 100, passes).minutes
    assert estimate.of(LARGE, 800, 100, passes).minutes > plain
    assert estimate.of(LARGE, 400, 100, recipe(2, 8, 8, 0.5)).minutes > plain
    assert estimate.of(LARGE, 400, 100, recipe(2, 4, 8, 0.0)).minutes > plain
    assert estimate.of(LARGE, 400, 100, passes, "cuda").minutes < plain
    assert estimate.of(SMALL, 400, 100, passes).minutes < plain


def test_memory_grows_with_the_model_and_the_batch():
    small, large = (estimate.of(size, 400, 100, recipe(2, 4, 8, 0.5)).memory_mb for size in (SMALL, LARGE))
    assert 750 < small < 1200 and 3000 < large < 6000
    assert estimate.of(LARGE, 400, 100, recipe(2, 4, 32, 0.5)).memory_mb > large
    assert estimate.of(LARGE, 2, 1, recipe(2, 4, 32, 0.5)).memory_mb < large


def test_machine_with_too_little_memory_is_refused_with_a_reason(monkeypatch):
    monkeypatch.setattr(estimate, "free_mb", lambda: 1000)
    needs = estimate.of(LARGE, 400, 100, recipe(2, 4, 8, 0.5))
    assert not needs.enough
    assert "1.0 GB are free here" in needs.refusal and "--base embedded" in needs.refusal
    monkeypatch.setattr(estimate, "free_mb", lambda: 100_000)
    assert estimate.of(LARGE, 400, 100, recipe(2, 4, 8, 0.5)).enough


def test_memory_limit_of_a_container_is_respected(tmp_path, monkeypatch):
    most, used = tmp_path / "max", tmp_path / "current"
    monkeypatch.setattr(estimate, "CGROUP", (most, used))
    free = estimate.free_mb()
    assert free > 0
    used.write_text("300000000\n")
    most.write_text("max\n")
    assert estimate.free_mb() == pytest.approx(free, rel=0.5)
    most.write_text("500000000\n")
    assert estimate.free_mb() == 200


def test_large_models_learn_in_fewer_passes_and_smaller_batches():
    small, large = estimate.recipe_for(SMALL), estimate.recipe_for(LARGE)
    assert small.epochs > large.epochs and small.batch > large.batch and small.frozen < large.frozen
    assert estimate.recipe_for(SMALL, 3) == replace(small, epochs=3)


def test_a_container_computes_on_as_many_cores_as_it_is_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    usual = recipe(2, 4, 8, 0.5)
    whole = estimate.of(LARGE, 400, 100, usual)
    (tmp_path / "cpu.max").write_text("200000 100000\n")
    limited = estimate.of(LARGE, 400, 100, usual)
    assert (whole.cores, limited.cores) == (64, 2) and limited.minutes > 2 * whole.minutes


def test_too_little_disk_space_is_reported_in_advance(tmp_path, monkeypatch):
    size = estimate.Size(4_000_000, 80, 1.0, 1.0)  # its weights take 16 MB
    needs = estimate.of(size, 400, 100, TrainingRecipe())
    assert 200 < needs.disk_mb < 300
    assert needs.disk_refusal(tmp_path) is None
    usage = namedtuple("usage", "free")(100_000_000)
    monkeypatch.setattr(estimate.shutil, "disk_usage", lambda _: usage)
    assert "100 MB are free" in needs.disk_refusal(tmp_path)


def test_estimate_does_not_import_torch():
    code = (
        "import sys; from vibecheck.training_runs import estimate\n"
        "from vibecheck.vision.classifier import EMBEDDED\n"
        "estimate.of(estimate.size_of(EMBEDDED), 100, 20, estimate.TrainingRecipe(1, 1)); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
