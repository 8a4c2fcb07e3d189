"""Each architecture in docs/models.md predicts as in transformers, or is refused.

These tests import torch.
"""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from docs.lists import architectures_table
from tests.standins.architectures import ARCHITECTURES, Architecture, as_images, pictures
from vibecheck.errors import ModelError
from vibecheck.vision.manifest import Manifest

pytestmark = pytest.mark.filterwarnings("default")  # torch and transformers warn of themselves
NEAR = 1e-3  # of a probability
RUN = [each for each in ARCHITECTURES if not each.refused]


def of_each(architectures):
    return pytest.mark.parametrize("architecture", architectures, ids=[each.name for each in architectures])


@pytest.fixture(scope="module")
def torch_model():
    import torch

    from vibecheck.export import torch_model

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tiny models; two threads would wait for each other
    yield torch_model
    torch.set_num_threads(threads)


def in_transformers(folder: Path, crops: np.ndarray) -> np.ndarray:
    """The probabilities of transformers, as its users compute them."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model, processor = (
        kind.from_pretrained(folder) for kind in (AutoModelForImageClassification, AutoImageProcessor)
    )
    images = as_images(crops, model.config)
    with torch.inference_mode():
        return model(**processor(images=images, return_tensors="pt")).logits.softmax(1).numpy()


@of_each(RUN)
def test_architecture_predicts_the_same_as_transformers(torch_model, tmp_path, architecture: Architecture):
    import torch

    folder = architecture.save(tmp_path / "model")
    model, side = torch_model.open_folder(folder, Manifest(version="v"), attention="eager")
    with torch.inference_mode():
        ours = model(torch.from_numpy(pictures(side))).softmax(1).numpy()
    theirs = in_transformers(folder, pictures(side))
    assert np.abs(ours - theirs).max() < NEAR
    assert theirs.std(axis=0).max() > 10 * NEAR, "it answers differently to different pictures"
    assert model.pixels.description.startswith(
        {"whole": "the whole face crop", "centre": "the central"}[architecture.crop]
    )


@pytest.mark.slow  # test_onnx_export exports a ViT, test_pretrain a network of convolutions
@of_each(RUN)
def test_exported_model_predicts_the_same_as_transformers(torch_model, tmp_path, architecture: Architecture):
    import torch

    from vibecheck.export.onnx_export import export

    folder = architecture.save(tmp_path / "model")
    model, side = torch_model.open_folder(folder, Manifest(version="v"), attention="eager")
    onnx.save(export(model, torch.from_numpy(pictures(side, 2))), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    theirs = in_transformers(folder, pictures(side))
    for some in (slice(0, 1), slice(0, 4)):  # any number of faces
        logits = session.run(None, {"pixels": pictures(side)[some]})[0]
        ours = torch.from_numpy(logits).softmax(1).numpy()
        assert np.abs(ours - theirs[some]).max() < NEAR


@of_each([each for each in ARCHITECTURES if each.refused])
def test_unsupported_architecture_is_refused(torch_model, tmp_path, architecture: Architecture):
    folder = architecture.save(tmp_path / "model")
    with pytest.raises(ModelError, match=re.escape(architecture.refused)) as caught:
        torch_model.open_folder(folder, Manifest(version="v"), attention="eager")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_architectures_table_in_the_docs_is_current():
    page = Path(__file__).parents[2] / "docs" / "models.md"
    assert architectures_table() in page.read_text(encoding="utf-8"), "run make docs"
