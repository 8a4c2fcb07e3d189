"""Makes `model.onnx` in a Hugging Face model folder, and proves that it answers as PyTorch does.

Imports torch and transformers, so it runs in a process of its own: `python -m vibecheck compile`.
"""

import contextlib
import io
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import onnxscript.optimizer
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors import SafetensorError
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification

from vibecheck.emotions import map_labels
from vibecheck.errors import ModelError
from vibecheck.vision.classifier import ONNX_FILE, labels_of, made_with
from vibecheck.vision.manifest import FILE_NAME, Manifest

# ITU-R BT.601 luma, as Pillow's "L" and OpenCV's RGB2GRAY have it.
LUMA = (0.299, 0.587, 0.114)
OPSET = 20
# Largest difference of a probability between PyTorch and ONNX Runtime that is let through.
TOLERANCE = 1e-4
# Constants of at most so many numbers are computed at export: biases, scales and shapes.
SMALL = 2048


class WithPixels(torch.nn.Module):
    """A model with all that belongs round it: N x S x S x 3 uint8 RGB to calibrated logits.

    Before it, what it wants done to its pixels; behind it, its temperature (Guo et al. 2017).
    """

    def __init__(self, model: torch.nn.Module, processor: dict, manifest: Manifest) -> None:
        super().__init__()
        self.model = model
        self.manifest = manifest
        factor = processor.get("rescale_factor", 1 / 255) if processor.get("do_rescale", True) else 1.0
        normalise = processor.get("do_normalize", True)
        mean = processor.get("image_mean", [0.5] * 3) if normalise else [0.0] * 3
        std = processor.get("image_std", [0.5] * 3) if normalise else [1.0] * 3
        self.register_buffer("luma", torch.tensor(LUMA), persistent=False)
        scale, shift = factor / torch.tensor(std), -torch.tensor(mean) / torch.tensor(std)
        self.register_buffer("scale", scale.view(-1, 1, 1), persistent=False)
        self.register_buffer("shift", shift.view(-1, 1, 1), persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        values = pixels.to(torch.float32)
        if self.manifest.grey:
            values = (values * self.luma).sum(dim=3, keepdim=True)
        values = values.permute(0, 3, 1, 2)
        values = values * self.scale + self.shift  # one grey channel becomes three
        return self.model(pixel_values=values).logits / self.manifest.temperature


def last_layer(model: torch.nn.Module) -> torch.nn.Linear:
    """The layer that gives the logits."""
    return [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]


def open_folder(folder: Path, manifest: Manifest) -> tuple[WithPixels, int]:
    """The folder's PyTorch model in full precision, calibrated, and the side of its input in px.

    Weights come from safetensors only, and no code from the folder runs. Raises ModelError.
    """
    map_labels(labels_of(folder))
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True).to_dict()
        model = AutoModelForImageClassification.from_pretrained(
            folder, config=config, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder} is not a model that can be compiled: {error}") from error
    size = processor.get("crop_size") or processor.get("size") or {}
    side = size.get("height") or size.get("shortest_edge") or getattr(config, "image_size", None)
    if not isinstance(side, int) or not 16 <= side <= 1024:
        raise ModelError(f"{folder}/preprocessor_config.json does not say the size of the model's input.")
    return WithPixels(model, processor, manifest).eval(), side


def compile_folder(folder: Path, faces: np.ndarray) -> float:
    """Write `model.onnx` into `folder` and return the largest difference from PyTorch on `faces`.

    `faces` is N x H x W x 3 uint8 RGB; it is only a probe, resized to the model's input. The folder's
    manifest is used, or a plain one is written. The file appears only if the difference is at most
    TOLERANCE; otherwise ModelError.
    """
    manifest = Manifest.read(folder) if (folder / FILE_NAME).exists() else Manifest(version=folder.name)
    model, side = open_folder(folder, manifest)
    probe = _resized(faces, side)
    graph = _in_half_where_exact(export(model, torch.from_numpy(probe[:2])))

    descriptor, name = tempfile.mkstemp(suffix=".onnx", dir=folder)
    os.close(descriptor)
    temporary = Path(name)
    try:
        onnx.save(graph, temporary)
        worst = _difference(model, temporary, probe)
        if worst > TOLERANCE:
            raise ModelError(f"ONNX and PyTorch differ by {worst:.2g} on {folder}: nothing was written.")
        manifest.write(folder)
        temporary.chmod(0o644)
        temporary.replace(folder / ONNX_FILE)
    finally:
        temporary.unlink(missing_ok=True)
    return worst


def _resized(faces: np.ndarray, side: int) -> np.ndarray:
    picked = torch.from_numpy(faces).permute(0, 3, 1, 2).to(torch.float32)
    resized = torch.nn.functional.interpolate(picked, size=(side, side), mode="bilinear", antialias=True)
    return resized.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def export(model: WithPixels, example: torch.Tensor, optimise: bool = False) -> onnx.ModelProto:
    """The model as ONNX with any number of faces a run.

    Where it is to be stored in half precision, only what is small and constant is computed beforehand:
    the exporter's optimiser also folds batch normalisation into the weights, after which half precision
    no longer holds them exactly. ONNX Runtime does that folding when it loads, but only if nothing else
    of a layer is left to compute (without this, the embedded model took half as long again). Where
    layers are to be made smaller, optimised: only weights that stand in the graph as they are can be.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            optimize=optimise,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("faces", min=1, max=1024)},),
        )
    if not optimise:
        onnxscript.optimizer.fold_constants(program.model, input_size_limit=SMALL, output_size_limit=SMALL)
        onnxscript.optimizer.remove_unused_nodes(program.model)
    graph = program.model_proto  # made anew each time it is asked for
    helper.set_model_props(graph, made_with(model.manifest))
    return graph


def _in_half_where_exact(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Store as half precision every large weight that loses nothing by it, and cast it back in the graph.

    ONNX Runtime folds the casts away when it loads, so only the file gets smaller.
    """
    casts = []
    for weight in graph.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < 256:
            continue
        values = numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    return graph


def _difference(model: WithPixels, path: Path, probe: np.ndarray) -> float:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = torch.from_numpy(session.run(None, {"pixels": probe})[0])
    with torch.inference_mode():
        expected = model(torch.from_numpy(probe))
    return float((logits.softmax(1) - expected.softmax(1)).abs().max())
