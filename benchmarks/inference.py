"""Latency and resident memory of each way to run a model, one face at a time.

Each backend has its own process. All stay alive together and take turns face by face, so other load on the
machine slows them equally.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil

from benchmarks.harness.models import random_vit
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.manifest import Manifest

SIDE = 224
MEGABYTE = 1 << 20
Run = Callable[[np.ndarray], object]
_run: Run  # of a process that measures one way


def pipeline(folder: Path, threads: int) -> Run:
    """`transformers.pipeline`, in full precision."""
    import torch
    import transformers
    from PIL import Image

    torch.set_num_threads(threads)
    run = transformers.pipeline(
        "image-classification", str(folder), device="cpu", dtype=torch.float32, trust_remote_code=False
    )
    return lambda face: run(Image.fromarray(face))


def bfloat16(folder: Path, threads: int) -> Run:
    """PyTorch in bfloat16."""
    import torch

    from vibecheck.export.torch_model import open_folder

    torch.set_num_threads(threads)
    model, _ = open_folder(folder, Manifest.read(folder))

    def run(face: np.ndarray) -> object:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            return model(torch.from_numpy(face[np.newaxis]))

    model.model.to(torch.bfloat16)
    return run


def onnx(folder: Path, threads: int) -> Run:
    """ONNX Runtime, as the app runs a model."""
    classifier = Classifier.load(folder, threads)
    return lambda face: classifier.probabilities(face[np.newaxis, : classifier.side, : classifier.side])


def compiled(folder: Path, fp32: Path, int8: Path) -> None:
    """Beside `folder`, the same model as the app would run it, in full precision and in 8 bits."""
    import shutil

    import onnx as onnx_format
    import torch

    from vibecheck.export.candidates import dynamic
    from vibecheck.export.onnx_export import export
    from vibecheck.export.torch_model import open_folder

    for target in (fp32, int8):
        target.mkdir()
        for name in ("config.json", "vibecheck.json"):
            shutil.copy(folder / name, target)
    model, side = open_folder(folder, Manifest.read(folder), attention="eager")
    graph = export(model, torch.zeros((2, side, side, 3), dtype=torch.uint8))
    del model
    onnx_format.save(graph, fp32 / "model.onnx")
    del graph
    dynamic(fp32 / "model.onnx", "int8", int8 / "model.onnx")


def make_models(folder: Path, fp32: Path, int8: Path) -> None:
    """A ViT-B/16 and, beside it, the same as the app runs it; in a process that gives its memory back."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(_make_models, folder, fp32, int8).result()


def _make_models(folder: Path, fp32: Path, int8: Path) -> None:
    Manifest(version="random-vit-b16").write(random_vit(folder))
    compiled(folder, fp32, int8)


def run(threads: int, rounds: int, keep: Path | None = None) -> list[dict]:
    """A row per backend, with `rounds` faces on `threads` threads; the int8 model is kept in `keep`.

    ms per face, speedup over the pipeline, and resident memory of the process.
    """
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        vit, fp32 = Path(name) / "vit", Path(name) / "fp32"
        int8 = keep or Path(name) / "int8"
        make_models(vit, fp32, int8)
        pools: dict[str, ProcessPoolExecutor] = {}
        for way, open_it, folder in (
            ("transformers.pipeline, fp32", pipeline, vit),
            ("PyTorch, bf16", bfloat16, vit),
            ("ONNX Runtime, fp32", onnx, fp32),
            ("ONNX Runtime, int8", onnx, int8),
            ("embedded model", onnx, EMBEDDED),
        ):
            pool = ProcessPoolExecutor(1, get_context("spawn"), _open, (open_it, folder, threads))
            pools[way] = stack.enter_context(pool)
            pool.submit(_milliseconds, np.zeros((SIDE, SIDE, 3), np.uint8)).result()  # warm-up
        times = _measure(pools, rounds)
        memory = {way: pool.submit(_resident).result() for way, pool in pools.items()}
    base = statistics.median(times["transformers.pipeline, fp32"])
    return [
        {
            "backend": way,
            "median_ms": statistics.median(found),
            "min_ms": min(found),
            "speedup": base / statistics.median(found),
            "resident_mb": memory[way] / MEGABYTE,
        }
        for way, found in times.items()
    ]


def _open(open_it: Callable[[Path, int], Run], folder: Path, threads: int) -> None:
    """Opens the model that this process runs."""
    global _run
    os.environ["OMP_NUM_THREADS"] = str(threads)
    _run = open_it(folder, threads)


def _milliseconds(face: np.ndarray) -> float:
    start = time.perf_counter()
    _run(face)
    return (time.perf_counter() - start) * 1000


def _resident() -> int:
    return psutil.Process().memory_info().rss


def _measure(pools: dict[str, ProcessPoolExecutor], rounds: int) -> dict[str, list[float]]:
    """ms of each way for each face, in turns."""
    dice = np.random.default_rng(0)
    times: dict[str, list[float]] = {way: [] for way in pools}
    for _ in range(rounds):
        face = dice.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        for way, pool in pools.items():
            times[way].append(pool.submit(_milliseconds, face).result())
    return times
