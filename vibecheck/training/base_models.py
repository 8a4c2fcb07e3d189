"""How long a training run will take and how much memory, before anything is opened or fetched."""

from dataclasses import replace
from pathlib import Path

from vibecheck.errors import ModelError
from vibecheck.models.installed import Shelf
from vibecheck.training import estimate, resources
from vibecheck.training.estimate import Estimate, Size
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.model_source import EMBEDDED_NAME

# A ViT-B/16 with seven classes, which most models of expressions on the Hub are.
USUAL = Size(parameters=85_804_039, side=224, forward_ms=452.0, activations_mb=160.0)
# Of all labels, those of a fifth of the visitors judge; of the rest, a part chooses.
TRAIN, VALID = 0.65, 0.15


def size_of(base: str, data: Path, embedded: str) -> Size | None:
    """How large the base is: a version, a Hub id, or `embedded`, whose version is also `embedded`.

    None where its files are not on this machine.
    """
    folder = EMBEDDED if base in (EMBEDDED_NAME, embedded) else Shelf(data).folder(base)
    try:
        return estimate.size_of(folder)
    except ModelError:
        return None


def estimate_of(size: Size, labels: int, epochs: int | None) -> Estimate:
    """What a run on so many labels takes, with the threads that runs are given here."""
    passes = estimate.passes_for(size, epochs)
    takes = estimate.of(size, round(labels * TRAIN), round(labels * VALID), passes)
    return replace(takes, minutes=takes.minutes * takes.cores / resources.threads())
