"""Models to measure: a large one of random weights, and any one installed for an app."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from vibecheck.emotions import NAMES
from vibecheck.models.installed import InstalledModels
from vibecheck.models.registry import Registry
from vibecheck.vision.manifest import Manifest

# What the page tells of a build; nothing is measured here.
REPORT = {
    "candidate": "int8",
    "candidates": [{"name": "int8", "ms": 0.0, "agreement": 1.0, "mean_difference": 0.0}],
    "faces": 0,
    "pytorch_ms": 0.0,
}


def random_vit(folder: Path) -> Path:
    """A ViT-B/16 of random weights, as `save_pretrained` writes it: for measuring speed and memory only."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    labels = dict(enumerate(NAMES))
    config = ViTConfig(id2label=labels, label2id={name: number for number, name in labels.items()})
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor().save_pretrained(folder)
    return folder


def install(registry: Registry, data: Path, folder: Path, version: str) -> None:
    """Installs and registers a compiled model in the data folder of an app, under the name `version`."""
    with InstalledModels(data).building(version) as part:
        for path in folder.iterdir():
            shutil.copy(path, part)
        Manifest.read(folder).model_copy(update={"version": version}).write(part)
        InstalledModels(data).place(version, part, REPORT)
    registry.register(version, "a benchmark", str(folder), {}, datetime.now(UTC))
