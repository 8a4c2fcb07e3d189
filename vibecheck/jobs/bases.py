"""What a training run starts from, and how large that is: for the estimate, before anything is opened."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from vibecheck.classifier import EMBEDDED
from vibecheck.installed import WEIGHTS, Shelf
from vibecheck.sources import EMBEDDED_NAME

# A ViT-B/16 with seven classes, which most models of expressions on the Hub are.
USUAL = (85_804_039, 224)


@dataclass(frozen=True, slots=True)
class Size:
    """Weights, and the side of the input in px; `known` is false where it is only what most have."""

    parameters: int
    side: int
    known: bool = True


def size_of(base: str, data: Path, embedded: str) -> Size:
    """How large the base is: a version, a Hub id, or `embedded`, whose version is also `embedded`."""
    folder = EMBEDDED if base in (EMBEDDED_NAME, embedded) else Shelf(data).folder(base)
    return size_of_folder(folder) or Size(*USUAL, known=False)


def size_of_folder(folder: Path) -> Size | None:
    """How large the model in a folder is, or None where that cannot be read."""
    try:
        parameters = 0
        for path in folder.glob(WEIGHTS):
            if path.suffix == ".safetensors":
                with safe_open(path, framework="np") as weights:
                    shapes = (weights.get_slice(name).get_shape() for name in weights.keys())  # noqa: SIM118
                    parameters += sum(map(math.prod, shapes))
        processor = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        size = processor.get("crop_size") or processor["size"]
        side = int(size.get("height") or size["shortest_edge"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return None
    return Size(parameters, side) if parameters else None
