"""Architectures for the embedded model, each fast enough for live video on one core.

All are classes of transformers, so `AutoModelForImageClassification` loads them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn
from transformers import (
    AutoModelForImageClassification,
    ConvNextV2Config,
    EfficientNetConfig,
    MobileViTV2Config,
    PretrainedConfig,
    PreTrainedModel,
    ResNetConfig,
    ViTConfig,
)


@dataclass(frozen=True)
class Architecture:
    """An architecture with its usual training: `optimiser` is "sgd" or "adamw".

    `config` makes the configuration for an input side in px; `rate` is the peak learning rate, `decay` the
    weight decay.
    """

    config: Callable[[int], PretrainedConfig]
    optimiser: str
    rate: float
    decay: float


def _resnet(embedding: int, *sizes: int) -> Architecture:
    """A ResNet with two basic blocks for each of four `sizes`."""
    return Architecture(
        lambda side: ResNetConfig(
            embedding_size=embedding, hidden_sizes=list(sizes), depths=[2, 2, 2, 2], layer_type="basic"
        ),
        "sgd",
        0.1,
        5e-4,
    )


ARCHITECTURES = {
    "resnet": _resnet(64, 64, 128, 192, 240),
    "slim": _resnet(48, 48, 96, 160, 240),
    "resnet18": _resnet(64, 64, 128, 256, 512),
    "convnextv2": Architecture(
        lambda side: ConvNextV2Config(
            patch_size=4, hidden_sizes=[48, 96, 192, 320], depths=[2, 2, 4, 2], drop_path_rate=0.05
        ),
        "adamw",
        2e-3,
        0.05,
    ),
    "efficientnet": Architecture(
        lambda side: EfficientNetConfig(
            width_coefficient=1.0, depth_coefficient=1.0, image_size=side, hidden_dim=1280
        ),
        "sgd",
        0.05,
        1e-4,
    ),
    "mobilevitv2": Architecture(
        lambda side: MobileViTV2Config(width_multiplier=0.75, image_size=side), "adamw", 2e-3, 0.05
    ),
    "vit": Architecture(
        lambda side: ViTConfig(
            image_size=side,
            patch_size=8,
            hidden_size=192,
            num_hidden_layers=9,
            num_attention_heads=3,
            intermediate_size=768,
        ),
        "adamw",
        1e-3,
        0.05,
    ),
}


def build(name: str, side: int, labels: list[str]) -> PreTrainedModel:
    """An untrained network with one output for each of `labels`."""
    config = ARCHITECTURES[name].config(side)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: i for i, label in enumerate(labels)}
    model = AutoModelForImageClassification.from_config(config, trust_remote_code=False)
    if isinstance(config, ResNetConfig):
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model
