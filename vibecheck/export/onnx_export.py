"""A PyTorch model as ONNX: the export itself, and `compile --in-place`, which checks it against PyTorch.

Imports torch, so it runs in a process of its own: `python -m vibecheck compile`.
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

from vibecheck.errors import ModelError
from vibecheck.export.pixels import one_line
from vibecheck.export.torch_model import WithPixels, open_folder
from vibecheck.names.version_name import as_version_name
from vibecheck.vision.classifier import ONNX_FILE, made_with
from vibecheck.vision.manifest import FILE_NAME, Manifest

OPSET = 20
# Largest accepted difference of a probability between PyTorch and ONNX Runtime.
TOLERANCE = 1e-4
# Constants of up to this many numbers are folded at export: biases, scales and shapes.
SMALL = 2048


def compile_folder(folder: Path, faces: np.ndarray) -> float:
    """Write `model.onnx` into `folder`; returns the largest difference of a probability from PyTorch.

    `faces` (N x H x W x 3 uint8 RGB) are resized to the model's input and compared. Without a manifest in
    the folder a default one is written. Raises ModelError and writes nothing if the difference is over
    TOLERANCE.
    """
    if (folder / FILE_NAME).exists():
        manifest = Manifest.read(folder)
    else:
        manifest = Manifest(version=as_version_name(folder.resolve().name)[:120])
    model, side = open_folder(folder, manifest, attention="eager")
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
    """The model as ONNX, for any number of faces a run. Raises ModelError if PyTorch cannot export it.

    With `optimise` batch normalisation and constants are folded into the weights, which quantisation needs.
    Without it only small constants are folded, so that weights stay exact in half precision; ONNX Runtime
    folds the rest when it loads, as long as nothing else of a layer is left to compute (otherwise the
    embedded model took half as long again).
    """
    try:
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
    except Exception as error:  # third-party code: any exception is the reason
        kind = type(model.model).__name__
        raise ModelError(f"{kind} cannot be exported to ONNX: {one_line(error)}.") from error
    if not optimise:
        onnxscript.optimizer.fold_constants(program.model, input_size_limit=SMALL, output_size_limit=SMALL)
        onnxscript.optimizer.remove_unused_nodes(program.model)
    graph = program.model_proto  # created at each access
    helper.set_model_props(graph, made_with(model.manifest))
    return graph


def _in_half_where_exact(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Store large weights in half precision where that is lossless, and cast them back in the graph.

    ONNX Runtime folds the casts when it loads, so only the file gets smaller.
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
