"""Opening model folders whose weights do not quite fit the model. These tests import torch."""

import ast
from pathlib import Path

import numpy as np
import pytest

from tests.standins.models import small_vit
from vibecheck.emotions import NAMES
from vibecheck.errors import ModelError
from vibecheck.vision.manifest import Manifest

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def torch_model():
    from vibecheck.export import torch_model

    return torch_model


def rewrite(folder: Path, change) -> Path:
    """Replace the weights by what `change` makes of them."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    return folder


def renamed(prefix: str):
    return lambda weights: {prefix + name: weight for name, weight in weights.items()}


def answers(torch_model, folder: Path) -> np.ndarray:
    import torch

    model, side = torch_model.open_folder(folder, Manifest(version="v"))
    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    with torch.inference_mode():
        return model(torch.from_numpy(pixels)).numpy()


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "net.body."])
def test_common_prefix_of_weight_names_is_removed(torch_model, tmp_path, prefix):
    plain = answers(torch_model, small_vit(tmp_path / "plain", NAMES))
    prefixed = rewrite(small_vit(tmp_path / "prefixed", NAMES), renamed(prefix))
    assert answers(torch_model, prefixed) == pytest.approx(plain)


def without(*ends: str):
    return lambda weights: {name: each for name, each in weights.items() if not name.endswith(ends)}


def some_prefixed(weights):
    return {("module." if "classifier" in name else "") + name: each for name, each in weights.items()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("classifier.weight", "classifier.bias"), "lacks classifier.bias, classifier.weight."),
        (without("classifier.bias"), "lacks classifier.bias."),
        (
            lambda weights: renamed("module.")(without("cls_token")(weights)),
            "lacks vit.embeddings.cls_token.",
        ),
        (some_prefixed, "lacks classifier.bias, classifier.weight, has unknown module.classifier"),
        (lambda weights: weights | {"more": weights["classifier.bias"].clone()}, "has unknown more."),
        (
            lambda weights: weights | {"classifier.weight": weights["classifier.weight"][:, :16].clone()},
            "has, in another shape, classifier.weight.",
        ),
        (lambda weights: {"x": weights["classifier.bias"]}, "and 2[0-9] more"),
    ],
)
def test_missing_and_unexpected_weights_are_named(torch_model, tmp_path, change, words):
    folder = rewrite(small_vit(tmp_path / "vit", NAMES), change)
    with pytest.raises(ModelError, match=words):
        torch_model.open_folder(folder, Manifest(version="v"))


def test_missing_buffers_that_the_model_computes_itself_are_no_error(torch_model, tmp_path):
    import torch

    def older(weights):
        return weights | {"vit.embeddings.position_ids": torch.arange(4)}

    plain = answers(torch_model, small_vit(tmp_path / "plain", NAMES))
    folder = rewrite(small_vit(tmp_path / "older", NAMES), older)
    assert answers(torch_model, folder) == pytest.approx(plain)


def test_a_processor_that_does_not_fit_the_model_is_refused(torch_model, tmp_path):
    import shutil

    folder = small_vit(tmp_path / "vit", NAMES)
    other = small_vit(tmp_path / "other", NAMES, side=48)
    shutil.copy(other / "preprocessor_config.json", folder)
    with pytest.raises(ModelError, match="does not accept the pictures of its own processor"):
        torch_model.open_folder(folder, Manifest(version="v"))


def test_custom_code_of_a_model_is_never_run(torch_model, tmp_path, monkeypatch):
    import json

    folder = small_vit(tmp_path / "vit", NAMES)
    trap = tmp_path / "ran"
    for name, kind in (("config.json", "AutoConfig"), ("preprocessor_config.json", "AutoImageProcessor")):
        settings = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(settings | {"auto_map": {kind: "trap.Trap"}}))
    (folder / "trap.py").write_text(f"open({str(trap)!r}, 'w')")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asked"))
    torch_model.open_folder(folder, Manifest(version="v"))
    assert not trap.exists()


def loading_calls(path: Path) -> list[ast.Call]:
    """The calls in a file by which transformers may load code with a model."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    named = [(ast.unparse(call.func), call) for call in calls]
    ours = "from_pretrained", "transformers.pipeline", "ForImageClassification.from_config"
    return [call for name, call in named if name.endswith(ours)]


def test_every_loading_call_sets_trust_remote_code_to_false():
    root = Path(__file__).parents[2]
    found = 0
    for path in [
        path for name in ("vibecheck", "finetune", "benchmarks") for path in (root / name).rglob("*.py")
    ]:
        for call in loading_calls(path):
            given = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert given.get("trust_remote_code") == "False", f"{path}:{call.lineno}"
            found += 1
    assert found >= 5
