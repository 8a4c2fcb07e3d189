"""Architectures for the embedded model, each fast enough for live video on one core."""

from torch import nn
from transformers import PreTrainedModel, ResNetConfig, ResNetForImageClassification

# Channels of the stem and of the four stages of a ResNet, each of two basic blocks.
ARCHITECTURES = {
    "resnet": (64, 64, 128, 192, 240),
    "slim": (48, 48, 96, 160, 240),
    "resnet18": (64, 64, 128, 256, 512),
}


def build(name: str, labels: list[str]) -> PreTrainedModel:
    """An untrained network with one output for each of `labels`."""
    stem, *stages = ARCHITECTURES[name]
    config = ResNetConfig(embedding_size=stem, hidden_sizes=stages, depths=[2, 2, 2, 2], layer_type="basic")
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: i for i, label in enumerate(labels)}
    model = ResNetForImageClassification(config)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model
