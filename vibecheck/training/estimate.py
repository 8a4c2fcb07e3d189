"""How long a fine-tuning run takes here, and how much memory: said before it starts, without torch.

Time is counted in passes of one picture through the network. How long one takes was measured when the
model was made ready on this machine (`report.json`), else it is taken from what others of its kind took.
"""

import json
import math
import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from vibecheck.errors import ModelError
from vibecheck.models.installed import REPORT_FILE, WEIGHTS, Shelf
from vibecheck.training import resources
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.model_source import EMBEDDED_NAME

# From so many parameters on a network is large: it learns in fewer passes, in smaller batches.
LARGE = 20_000_000
# Measured on one core of an EPYC of 2025 (AVX-512) with torch 2.13: ms that one picture takes forward in
# full precision, for each million parameters times each place in the picture that they are applied to.
MS_PER_TRANSFORMER = 452 / (86 * 196)  # a ViT-B/16 at 224 px
MS_PER_CONVOLUTION = 4.0 / (3.9 * 80 * 80)  # the embedded model at 80 px
# Backward takes twice as long as forward. A processor with instructions for bf16 takes half of the time.
BACKWARD, HALF = 2.0, 0.5
ACCELERATOR = 1 / 60  # of the time of one core, by a small one
# Loading libraries, compiling the finished model, and trying the ways to run it (200 faces each).
BEFORE_AND_AFTER = 0.5  # minutes
FACES_TRIED = 1000
# How often the validation part is read to choose the mix, beside once a pass.
MIXES = 12
LIBRARIES_MB = 750
# What a parameter takes: itself, its gradient, two moments of AdamW, the old weights and the best so far.
BYTES_A_PARAMETER = 24
# A convolution's outputs, of a picture: so many numbers for each of its pixels.
NUMBERS_A_PIXEL = 400
CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"))


@dataclass(frozen=True, slots=True)
class Size:
    """How large a network is, and how long a picture takes through it.

    `side` is that of its input in px, `forward_ms` on one core in full precision, `activations_mb` what one
    picture leaves behind to learn from.
    """

    parameters: int
    side: int
    forward_ms: float
    activations_mb: float


@dataclass(frozen=True, slots=True)
class Passes:
    """How a network learns: `head` passes in which its head alone does, then `all`, in batches of `batch`.

    `frozen` is the share of its first blocks that never change.
    """

    head: int
    all: int
    batch: int
    frozen: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """`minutes` at most (a run that gets no better ends earlier), `memory_mb` at its peak.

    `available_mb` is what this machine has left; `cores` is how many work.
    """

    minutes: float
    memory_mb: int
    available_mb: int
    cores: int

    @property
    def enough(self) -> bool:
        """Whether there is enough memory."""
        return self.memory_mb <= self.available_mb

    @property
    def refusal(self) -> str:
        """Why this machine is too small, and what to do."""
        return (
            f"Fine-tuning this model needs about {self.memory_mb / 1000:.1f} GB of memory; "
            f"{self.available_mb / 1000:.1f} GB are free here. Close other programs, start from a smaller "
            "model (--base embedded), or run python -m finetune on a larger machine."
        )


def size_of(folder: Path) -> Size:
    """The size of the model in a Hugging Face folder. Raises ModelError where it cannot be read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        processor = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        parameters = sum(map(_numbers, sorted(folder.glob(WEIGHTS))))
        size = processor.get("crop_size") or processor.get("size") or {}
        side = size.get("height") or size.get("shortest_edge") or config.get("image_size") or 224
        side = int(side)
    except (OSError, ValueError, TypeError, AttributeError, struct.error) as error:
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


def passes_for(size: Size, epochs: int | None = None) -> Passes:
    """How a network of this size learns; `epochs`, where given, are the passes in which all of it does."""
    usual = Passes(5, 12, 32, 0.25) if size.parameters < LARGE else Passes(2, 4, 8, 0.5)
    return usual if epochs is None else Passes(usual.head, epochs, usual.batch, usual.frozen)


def of(size: Size, train: int, valid: int, passes: Passes, device: str = "cpu") -> Estimate:
    """For so many pictures to learn from and to choose by. `device` is cpu, cuda or mps."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    forward = size.forward_ms / 60_000  # minutes
    quick = forward * (HALF if _has_bf16() else 1.0)
    learning = passes.head + passes.all * (1 + BACKWARD * (1 - passes.frozen))
    reading = passes.head + passes.all + MIXES
    work = quick * train * learning + forward * valid * reading
    speed = cores if device == "cpu" else 1 / ACCELERATOR
    minutes = BEFORE_AND_AFTER + work / speed + forward * (FACES_TRIED + train + valid)
    batch = min(passes.batch, max(1, train))
    memory = LIBRARIES_MB + size.parameters * BYTES_A_PARAMETER / 1e6 + batch * size.activations_mb
    return Estimate(minutes, math.ceil(memory), free_mb(), cores)


def free_mb() -> int:
    """The memory that is left: of the machine, or of the container if that allows less."""
    free = psutil.virtual_memory().available
    try:
        most, used = (int(path.read_text()) for path in CGROUP)
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return free // 1_000_000
    return max(0, min(free, most - used)) // 1_000_000


def _numbers(path: Path) -> int:
    """How many numbers a file of safetensors holds, by its header."""
    if path.suffix != ".safetensors":  # the index of a model in several files
        return 0
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > 100_000_000:
            raise ValueError(f"{path.name} is damaged")
        header = json.loads(file.read(length))
    return sum(math.prod(each["shape"]) for name, each in header.items() if name != "__metadata__")


def _measured(folder: Path) -> float | None:
    """What was measured when the model was made ready here, in ms on one core."""
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


# A ViT-B/16 with seven classes, which most models of expressions on the Hub are.
USUAL = Size(parameters=85_804_039, side=224, forward_ms=452.0, activations_mb=160.0)
# Of all labels, those of a fifth of the visitors judge; of the rest, a part chooses.
TRAIN, VALID = 0.65, 0.15


def size_of_base(base: str, data: Path, embedded: str) -> Size | None:
    """How large the base is: a version, a Hub id, or `embedded`, whose version is also `embedded`.

    None where its files are not on this machine.
    """
    folder = EMBEDDED if base in (EMBEDDED_NAME, embedded) else Shelf(data).folder(base)
    try:
        return size_of(folder)
    except ModelError:
        return None


def estimate_of(size: Size, labels: int, epochs: int | None) -> Estimate:
    """What a run on so many labels takes, with the threads that runs are given here."""
    passes = passes_for(size, epochs)
    takes = of(size, round(labels * TRAIN), round(labels * VALID), passes)
    return replace(takes, minutes=takes.minutes * takes.cores / resources.threads())
