"""Exports a PyTorch model to ONNX.

Imports torch, so it runs in a process of its own: `python -m vibecheck compile`.
"""

import contextlib
import io
import warnings

import onnx
import torch
from onnx import helper

from vibecheck.errors import ModelError
from vibecheck.export.pixels import one_line
from vibecheck.export.torch_model import WithPixels
from vibecheck.vision.classifier import made_with

OPSET = 20


def export(model: WithPixels, example: torch.Tensor) -> onnx.ModelProto:
    """The model as ONNX, for any number of faces a run. Raises ModelError if PyTorch cannot export it.

    Batch normalisation and constants are folded into the weights, which quantisation needs.
    """
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                optimize=True,
                opset_version=OPSET,
                input_names=["pixels"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("faces", min=1, max=1024)},),
            )
    except Exception as error:  # third-party code: any exception is the reason
        kind = type(model.model).__name__
        raise ModelError(f"{kind} cannot be exported to ONNX: {one_line(error)}.") from error
    graph = program.model_proto  # created at each access
    helper.set_model_props(graph, made_with(model.manifest))
    return graph
