"""Small real models, made on the spot, and the one that ships under other names."""

import gc
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from vibecheck.emotions import NAMES
from vibecheck.models.installed import InstalledModels, content_of
from vibecheck.models.live_model import LiveModel
from vibecheck.models.registry import Registry
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest


def small_vit(folder: Path, labels: Sequence[str], side: int = 32, **changes) -> Path:
    """A vision transformer of random weights for colour pictures, saved as Hugging Face does.

    `changes` go to its ViTConfig.
    """
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    plain = {
        "image_size": side,
        "patch_size": 8,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "initializer_range": 0.3,
        "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    config = ViTConfig(**plain | changes)
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": side, "width": side}).save_pretrained(folder)
    return folder


def small_resnet(folder: Path, side: int = 32) -> Path:
    """A ResNet of random weights that, like the embedded model, sees grey and has a class prior."""
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 16, 24, 32],
        depths=[1] * 4,
        layer_type="basic",
        id2label=dict(enumerate(NAMES)),
        label2id={label: i for i, label in enumerate(NAMES)},
    )
    ResNetForImageClassification(config).save_pretrained(folder)
    half = [0.5] * 3
    ViTImageProcessor(size={"height": side, "width": side}, image_mean=half, image_std=half).save_pretrained(
        folder
    )
    prior = (0.1, 0.1, 0.1, 0.25, 0.1, 0.1, 0.25)
    Manifest(version=folder.name, grey=True, class_prior=prior, prior_strength=0.5).write(folder)
    return folder


def install(settings: Settings, registry: Registry, version: str, folder: Path = EMBEDDED) -> Path:
    """Put a folder's model there under another name, as if it had been made ready."""
    with InstalledModels(settings.data).building(version) as part:
        for path in folder.iterdir():
            shutil.copy(path, part)
        Manifest.read(folder).model_copy(update={"version": version}).write(part)
        chosen = {"name": "fp32", "ms": 3.0, "agreement": 1.0, "mean_difference": 0.0}
        report = {"content": content_of(folder), "candidate": "fp32", "candidates": [chosen]}
        report |= {"faces": 200, "pytorch_ms": 9.0}
        there = InstalledModels(settings.data).place(version, part, report)
    registry.register(
        version, "a test", str(settings.data / "gone"), {}, datetime(2026, 11, 22, 12, tzinfo=UTC)
    )
    return there.folder


def end(live: LiveModel) -> None:
    """Ends what a model that runs in a test has begun; the app's runs until the process ends."""
    live._end_build(None)
    if live._registry:
        live._registry.close()
    gc.unfreeze()
