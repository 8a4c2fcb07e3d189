"""Small real models, made on the spot."""

from collections.abc import Sequence
from pathlib import Path


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
        "num_hidden_layers": 2,
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
