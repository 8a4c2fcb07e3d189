"""Estimates the time, memory and disk of a fine-tuning run before it starts, without torch.

Time is counted in forward passes of one picture. Their duration was measured when the model was compiled on
this machine (`report.json`); otherwise it is extrapolated from models of its kind.
"""

import json
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from safetensors import SafetensorError, safe_open

from vibecheck.errors import ModelError
from vibecheck.models.installed import REPORT_FILE, InstalledModels
from vibecheck.training_runs import resources
from vibecheck.training_runs.recipe import TrainingRecipe
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.model_source import EMBEDDED_NAME

# Networks with more parameters are trained in fewer epochs and smaller batches.
LARGE = 20_000_000
# Measured on one core of an EPYC of 2025 (AVX-512) with torch 2.13: ms of a forward pass in full precision,
# per million parameters and position in the picture.
MS_PER_TRANSFORMER = 452 / (86 * 196)  # a ViT-B/16 at 224 px
MS_PER_CONVOLUTION = 4.0 / (3.9 * 80 * 80)  # the embedded model at 80 px
# A backward pass takes twice as long as a forward pass; bf16 instructions halve both.
BACKWARD, HALF = 2.0, 0.5
ACCELERATOR = 1 / 60  # time on a small accelerator, relative to one core
# Loading libraries, compiling the model, and measuring the ways to run it (200 faces each).
BEFORE_AND_AFTER = 0.5  # minutes
FACES_TRIED = 1000
# Passes over the validation set to choose the mix.
MIXES = 12
LIBRARIES_MB = 750
# Per parameter: weight, gradient, two moments of AdamW, old and best weights.
BYTES_A_PARAMETER = 24
# On disk: two checkpoints and a third being written (weights, two moments), the best weights of two stages,
# the model, and the ways to run it that are compared.
BYTES_ON_DISK = 4 * (3 * 3 + 2 + 4)
# Activations of a convolutional network per pixel of the picture.
NUMBERS_A_PIXEL = 400
# Shares of all labels; the rest is held out.
TRAIN, VALID = 0.65, 0.15
CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"))


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a network. `side` is its input in px, `forward_ms` a forward pass on one core in full
    precision, `activations_mb` the memory of one picture's activations."""

    parameters: int
    side: int
    forward_ms: float
    activations_mb: float


# A ViT-B/16 with seven classes, like most expression models on the Hub.
USUAL = Size(parameters=85_804_039, side=224, forward_ms=452.0, activations_mb=160.0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """`minutes` at most (early stopping may end a run before), `memory_mb` and `disk_mb` at their peaks.

    `available_mb` is the free memory of this machine; `cores` are those that compute.
    """

    minutes: float
    memory_mb: int
    available_mb: int
    cores: int
    disk_mb: int

    @property
    def enough(self) -> bool:
        """Whether there is enough memory."""
        return self.memory_mb <= self.available_mb

    @property
    def refusal(self) -> str:
        """Why this machine has too little memory, and what to do."""
        return (
            f"Too little memory: fine-tuning this model needs about {self.memory_mb / 1000:.1f} GB, and "
            f"{self.available_mb / 1000:.1f} GB are free here. Close other programs, start from the embedded "
            "model (--base embedded), or run python -m finetune on a larger machine with the same database."
        )

    def disk_refusal(self, folder: Path) -> str | None:
        """Why the disk of an existing folder is too full, and what to do; None where it is not."""
        free = shutil.disk_usage(folder).free // 1_000_000
        if self.disk_mb <= free:
            return None
        return (
            f"Fine-tuning this model needs about {self.disk_mb:,} MB of disk; {free:,} MB are free in "
            f"{folder}. Free some space, or name a folder on another disk with --out."
        )


def size_of(folder: Path) -> Size:
    """The size of the model in a Hugging Face folder. Raises ModelError where it cannot be read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        processor = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        parameters = sum(map(_numbers, folder.glob("*.safetensors")))
        size = processor.get("crop_size") or processor.get("size") or {}
        side = size.get("height") or size.get("shortest_edge") or config.get("image_size") or 224
        side = int(side)
    except SafetensorError as error:
        raise ModelError(f"The weights in {folder} are damaged: {error}.") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{folder} is not a model folder that can be trained: {error}.") from error
    if not parameters:
        raise ModelError(f"{folder} has no weights (model.safetensors), so it cannot be trained.")
    millions = parameters / 1e6
    patch, hidden = config.get("patch_size"), config.get("hidden_size")
    if isinstance(patch, int) and isinstance(hidden, int):
        places = (side // patch) ** 2
        layers, heads = config.get("num_hidden_layers", 12), config.get("num_attention_heads", 12)
        forward = MS_PER_TRANSFORMER * millions * places
        numbers = places * layers * (16 * hidden + 2 * heads * places)
    else:
        forward = MS_PER_CONVOLUTION * millions * side * side
        numbers = NUMBERS_A_PIXEL * side * side
    return Size(parameters, side, _measured(folder) or forward, numbers * 4 / 1e6)


def recipe_for(size: Size, epochs: int | None = None) -> TrainingRecipe:
    """The recipe for a network of this size; `epochs` replaces the default of the second stage."""
    large = TrainingRecipe(head_epochs=2, epochs=4, batch=8, frozen=0.5)
    usual = TrainingRecipe() if size.parameters < LARGE else large
    return usual if epochs is None else replace(usual, epochs=epochs)


def of(size: Size, train: int, valid: int, recipe: TrainingRecipe, device: str = "cpu") -> Estimate:
    """The estimate for so many training and validation pictures. `device` is cpu, cuda or mps."""
    cores = resources.cores()
    forward = size.forward_ms / 60_000  # minutes
    quick = forward * (HALF if _has_bf16() else 1.0)
    learning = recipe.head_epochs + recipe.epochs * (1 + BACKWARD * (1 - recipe.frozen))
    reading = recipe.head_epochs + recipe.epochs + MIXES
    work = quick * train * learning + forward * valid * reading
    speed = cores if device == "cpu" else 1 / ACCELERATOR
    minutes = BEFORE_AND_AFTER + work / speed + forward * (FACES_TRIED + train + valid)
    batch = min(recipe.batch, max(1, train))
    memory = LIBRARIES_MB + size.parameters * BYTES_A_PARAMETER / 1e6 + batch * size.activations_mb
    disk = size.parameters * BYTES_ON_DISK / 1e6 + (train + valid) * 3 * size.side**2 / 1e6
    return Estimate(minutes, math.ceil(memory), free_mb(), cores, math.ceil(disk))


def size_of_base(base: str, data: Path, embedded: str) -> Size | None:
    """The size of a base (a version, a Hub id, or `embedded`); None where its files are not here."""
    folder = EMBEDDED if base in (EMBEDDED_NAME, embedded) else InstalledModels(data).folder(base)
    try:
        return size_of(folder)
    except ModelError:
        return None


def of_labels(size: Size, labels: int, epochs: int | None) -> Estimate:
    """The estimate for this many labels, with the threads of the page's runs."""
    takes = of(size, round(labels * TRAIN), round(labels * VALID), recipe_for(size, epochs))
    return replace(takes, minutes=takes.minutes * takes.cores / resources.threads())


def free_mb() -> int:
    """Free memory of the machine, or of the container if that is less."""
    free = psutil.virtual_memory().available
    try:
        most, used = (int(path.read_text()) for path in CGROUP)
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return free // 1_000_000
    return max(0, min(free, most - used)) // 1_000_000


def _numbers(path: Path) -> int:
    """The number of parameters in a safetensors file, by its header."""
    with safe_open(path, framework="numpy") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


def _measured(folder: Path) -> float | None:
    """The forward pass as measured on this machine, in ms on one core."""
    try:
        report: dict[str, Any] = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
        return float(report["pytorch_ms"]) * int(report["threads"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _has_bf16() -> bool:
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
