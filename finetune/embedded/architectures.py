"""The architecture of the embedded model, which is fast enough for live video on one core."""

from torch import nn
from transformers import PreTrainedModel, ResNetConfig, ResNetForImageClassification


def build(channels: tuple[int, ...], labels: list[str]) -> PreTrainedModel:
    """An untrained ResNet with one output for each of `labels`.

    `channels` are those of its stem and of its four stages, each of two basic blocks.
    """
    stem, *stages = channels
    config = ResNetConfig(embedding_size=stem, hidden_sizes=stages, depths=[2, 2, 2, 2], layer_type="basic")
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: i for i, label in enumerate(labels)}
    model = ResNetForImageClassification(config)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model
