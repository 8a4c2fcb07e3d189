"""Candidate ways to run a model on this machine, to find the fastest that answers like transformers.

    fp32          full precision
    int8 dynamic  linear layers in 8 bits, activation scales computed at run time: for transformers
    int8 static   convolutions and the layers between them in 8 bits, activation scales calibrated on
                  faces: for convolutional networks; "but the first" keeps the first layer in full precision

Imports torch, so it runs in a process of its own (see `build`).
"""

import contextlib
import io
import logging
import os
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime import quantization

from vibecheck.errors import ModelError
from vibecheck.export.build import Tell
from vibecheck.export.onnx_export import export
from vibecheck.export.torch_model import WithPixels, grey, open_folder
from vibecheck.text.version_name import as_version_name
from vibecheck.vision.classifier import ONNX_FILE, Classifier, label_mapping
from vibecheck.vision.faces import Face
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.sample_faces import face_crops

# A candidate is accepted if its top mood is the reference's on at least this share of the faces …
AGREEMENT = 0.99
# … and its probabilities differ from the reference's by at most this on average.
MEAN_DIFFERENCE = 0.03
# With fewer layers of a kind, quantising them is not worth it.
ENOUGH = 4
# Operators that are quantised in a convolutional network. With convolutions alone, activations are converted
# back and forth between them: MobileNetV2 then takes longer than in full precision, RegNet-Y 25% longer.
STATIC = ["Conv", "Relu", "Clip", "Add", "Mul", "Sigmoid", "Concat"]
STATIC += ["MaxPool", "AveragePool", "GlobalAveragePool"]
# Faces that candidates are measured on, and that 8-bit scales are calibrated on.
FACES, CALIBRATION = 200, 100
# The latency that is reported: this quantile of the runs is not disturbed by other processes.
UNDISTURBED = 0.25


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run a model, measured.

    `ms` is for one face; `agreement` the share of faces with the reference's top mood; the difference is of
    probabilities; `refused` says why it is rejected, or is empty.
    """

    name: str
    ms: float
    agreement: float
    mean_difference: float
    bytes: int
    refused: str


class TorchSession:
    """The reference in the place of an ONNX Runtime session: transformers' own processor and model."""

    def __init__(self, model: WithPixels, side: int) -> None:
        self._model = model
        self.name, self.shape = "pixels", ["faces", side, side, 3]

    def get_inputs(self) -> list["TorchSession"]:
        """The model's one input, which has a name and a shape."""
        return [self]

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The logits of N faces."""
        return [self._model.reference(torch.from_numpy(inputs[self.name])).numpy()]


def compile_folder(
    folder: Path,
    threads: int = 1,
    kept: Iterable[tuple[np.ndarray, Face]] = (),
    tell: Tell = lambda step, done, total: None,
) -> dict[str, Any]:
    """Write the best candidate into a model's folder as `model.onnx`; returns the measurements.

    Candidates are measured with `threads`, on `kept` pictures with the face in each, filled up with those of
    `face_crops`. Without a manifest in the folder a default one is written. `tell` is called with "compiling"
    or "checking", a count and the total. Raises ModelError, and writes nothing, if no candidate answers as
    transformers does.
    """
    manifest = Manifest.read(folder, Manifest(version=as_version_name(folder.resolve().name)[:120]))
    model, side = open_folder(folder, manifest, attention="eager")
    faces = face_crops(manifest, side, FACES, kept=kept)
    return make(folder, model, faces, face_crops(manifest, side, CALIBRATION, seed=1), threads, tell)


def make(
    folder: Path, model: WithPixels, faces: np.ndarray, calibration: np.ndarray, threads: int, tell: Tell
) -> dict[str, Any]:
    """Does what `compile_folder` does, for the `model` that was opened from the folder.

    Candidates are measured on `faces` and quantised with `calibration` (both N x side x side x 3 uint8 RGB).
    """
    tell("compiling", 0, 1)
    manifest = model.manifest
    mapping = label_mapping(folder)
    if manifest.grey:  # such a model sees only grey, and its processor accepts nothing else
        faces = grey(faces)
    reference, pytorch_ms = _answers(
        Classifier(TorchSession(model, faces.shape[1]), mapping, manifest), faces
    )
    with tempfile.TemporaryDirectory(dir=folder) as work:
        paths = list(_write(model, calibration, Path(work), tell))
        measured = []
        for number, (name, path) in enumerate(paths):
            tell("checking", number, len(paths))
            shutil.copy(folder / "config.json", path.parent)
            manifest.write(path.parent)
            found, ms = _answers(Classifier.load(path.parent, threads), faces)
            measured.append(_judged(name, path, ms, found, reference))
        taken = [each for each in measured if not each.refused]
        if not taken:
            reasons = "; ".join(f"{each.name}: {each.refused}" for each in measured)
            raise ModelError(f"No way to run {manifest.version} answers as transformers does ({reasons}).")
        best = min(taken, key=lambda each: each.ms)
        manifest.write(folder)
        dict(paths)[best.name].replace(folder / ONNX_FILE)
    return {
        "candidate": best.name,
        "ms": best.ms,
        "pytorch_ms": pytorch_ms,
        "pixels": model.pixels.description,
        "threads": threads,
        "cores": os.cpu_count(),
        "faces": len(faces),
        "candidates": [asdict(each) for each in measured],
    }


def _write(model: WithPixels, calibration: np.ndarray, work: Path, tell: Tell) -> Iterator[tuple[str, Path]]:
    """Each candidate's name and file, in a folder of its own."""

    def place(name: str) -> tuple[str, Path]:
        path = work / name.replace(" ", "-") / ONNX_FILE
        path.parent.mkdir()
        return name, path

    name, plain = place("fp32")
    graph = export(model, torch.from_numpy(calibration[:2]))
    names = [node.name for node in graph.graph.node]
    kinds = [node.op_type for node in graph.graph.node]
    count = Counter(kinds)
    onnx.save(graph, plain)
    del graph
    yield name, plain
    if count["MatMul"] + count["Gemm"] >= ENOUGH:
        tell("compiling", 1, 2)
        yield dynamic(plain, *place("int8 dynamic"))
    if count["Conv"] >= ENOUGH:
        first = kinds.index("Conv")  # before it, the pixels are prepared
        tell("compiling", 1, 3)
        yield _static(plain, calibration, *place("int8 static"), names[:first])
        tell("compiling", 2, 3)
        yield _static(plain, calibration, *place("int8 static but the first"), names[: first + 1])


def dynamic(plain: Path, name: str, path: Path) -> tuple[str, Path]:
    """Write the candidate with linear layers in 8 bits."""
    with _quietly():
        quantization.quantize_dynamic(
            plain,
            path,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
        )
    return name, path


def _static(plain: Path, calibration: np.ndarray, name: str, path: Path, keep: list[str]) -> tuple[str, Path]:
    """Write a candidate with the layers of STATIC in 8 bits, except the nodes named in `keep`.

    Weights use 7 of the 8 bits: with 8, products overflow on processors without VNNI. The answers are as
    close to the reference as with 8 bits, and the same on every processor.
    """
    with _quietly():
        quantization.quantize_static(
            plain,
            path,
            _Faces(calibration),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=STATIC,
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,  # others hold all activations in memory
            nodes_to_exclude=keep,
        )
    return name, path


class _Faces(quantization.CalibrationDataReader):
    """Faces one by one, for ONNX Runtime's calibration."""

    def __init__(self, faces: np.ndarray) -> None:
        self._left = iter(faces)

    def get_next(self) -> dict[str, np.ndarray] | None:
        face = next(self._left, None)
        return None if face is None else {"pixels": face[np.newaxis]}


def _answers(classifier: Classifier, faces: np.ndarray) -> tuple[np.ndarray, float]:
    """The model's answers (N x 7), one face at a time as in live video, and the ms that one takes."""
    classifier.probabilities(faces[:1])  # the first run allocates memory, and takes longer
    said, times = [], []
    for face in faces:
        start = time.perf_counter()
        said.append(classifier.probabilities(face[np.newaxis])[0])
        times.append((time.perf_counter() - start) * 1000)
    return np.stack(said), statistics.quantiles(times, n=round(1 / UNDISTURBED))[0]


def _judged(name: str, path: Path, ms: float, found: np.ndarray, reference: np.ndarray) -> Candidate:
    agreement = float((found.argmax(1) == reference.argmax(1)).mean())
    mean = float(np.abs(found - reference).mean())
    reasons = []
    if not agreement >= AGREEMENT:
        reasons.append(f"its top mood is the same on {agreement:.1%} of the faces, under {AGREEMENT:.0%}")
    if not mean <= MEAN_DIFFERENCE:
        reasons.append(f"its probabilities differ by {mean:.3f} on average, over {MEAN_DIFFERENCE}")
    return Candidate(name, ms, agreement, mean, path.stat().st_size, " and ".join(reasons))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Silence the quantizer's advice."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
