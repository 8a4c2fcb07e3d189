"""A tiny model with random weights of each architecture, as `save_pretrained` writes it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vibecheck.emotions import NAMES

HALVES = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def pictures(side: int, count: int = 4) -> np.ndarray:
    """Blurred colours with noise, N x side x side x 3 uint8."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 4, 4, 3), np.uint8)
    blurred = [np.asarray(Image.fromarray(each).resize((side, side))) for each in coarse]
    return np.stack(blurred) // 2 + rng.integers(0, 128, (count, side, side, 3), np.uint8)


def as_images(crops: np.ndarray, config) -> list[Image.Image]:
    """Crops as people would hand them to an image processor."""
    mode = "L" if getattr(config, "num_channels", 3) == 1 else "RGB"
    return [Image.fromarray(each).convert(mode) for each in crops]


def square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


@dataclass(frozen=True)
class Architecture:
    """`name` as people call it, `kind` as config.json does.

    `config` goes to its configuration, `settings` to its image processor. `crop` is what of a face crop the
    model sees; `refused` are words of the error if it cannot run, and `why` the reason for the docs.
    """

    name: str
    kind: str
    config: dict[str, Any]
    processor: str
    settings: dict[str, Any]
    crop: str = "whole"
    refused: str = ""
    why: str = ""

    def save(self, folder: Path) -> Path:
        """Write the model, with a head that tells pictures apart; of timm's only its settings."""
        import torch
        import transformers
        from safetensors.torch import save_file

        torch.manual_seed(0)
        labels = dict(enumerate(NAMES))
        if self.kind == "timm_wrapper":
            folder.mkdir()
            config = {"model_type": self.kind, "id2label": labels, **self.config}
            (folder / "config.json").write_text(json.dumps(config))
            (folder / "preprocessor_config.json").write_text(json.dumps(self.settings))
            save_file({"x": torch.zeros(1)}, folder / "model.safetensors")
            return folder
        config = transformers.AutoConfig.for_model(
            self.kind, id2label=labels, label2id={name: i for i, name in labels.items()}, **self.config
        )
        model = transformers.AutoModelForImageClassification.from_config(config)
        processor = getattr(transformers, f"{self.processor}ImageProcessor")(**self.settings)
        images = as_images(pictures(64, 8), config)
        values = processor(images=images, return_tensors="pt")
        norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        with torch.no_grad():
            for norm in norms:
                norm.momentum = None  # the mean over all batches
            for _ in range(2 if norms else 0):
                model.train()(**values)
            head = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
            logits = model.eval()(**values).logits
            factor = 1 / logits.std(0).mean()
            head.weight.mul_(factor)
            head.bias.sub_(logits.mean(0)).mul_(factor)
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        return folder


LAYERS = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
PATCHES = {"image_size": 32, "patch_size": 8} | LAYERS
WINDOWS = {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2]}
STAGES = {"hidden_sizes": [8, 16, 16, 32], "depths": [1, 1, 1, 1]}
PLAIN = {"size": square(32)}
CENTRE = {"size": {"shortest_edge": 36}, "crop_size": square(32), "do_center_crop": True}
SHORTEST = {"size": {"shortest_edge": 32}}

ARCHITECTURES = (
    Architecture("ViT", "vit", PATCHES, "ViT", PLAIN),
    Architecture(
        "ViT, one grey channel",
        "vit",
        PATCHES | {"num_channels": 1},
        "ViT",
        PLAIN | {"image_mean": [0.5], "image_std": [0.5]},
    ),
    Architecture(
        "ViT, not square",
        "vit",
        PATCHES | {"image_size": [32, 48]},
        "ViT",
        {"size": {"height": 32, "width": 48}},
        refused="takes pictures of 48 x 32 px",
        why="face crops are square",
    ),
    Architecture(
        "DeiT",
        "deit",
        PATCHES | {"architectures": ["DeiTForImageClassification"]},
        "DeiT",
        CENTRE | {"size": square(36)},
        "centre",
    ),
    Architecture("BEiT", "beit", PATCHES | {"use_relative_position_bias": True}, "Beit", PLAIN),
    Architecture("Swin", "swin", WINDOWS | {"window_size": 4}, "ViT", PLAIN),
    Architecture("Swin V2", "swinv2", WINDOWS | {"window_size": 4}, "ViT", PLAIN),
    Architecture("ConvNeXT", "convnext", STAGES, "ConvNext", SHORTEST, "centre"),
    Architecture("ConvNeXT V2", "convnextv2", STAGES, "ConvNext", SHORTEST, "centre"),
    Architecture(
        "ResNet",
        "resnet",
        STAGES | {"embedding_size": 8, "layer_type": "basic"},
        "ConvNext",
        SHORTEST,
        "centre",
    ),
    Architecture(
        "RegNet", "regnet", STAGES | {"embedding_size": 8, "groups_width": 8}, "ConvNext", SHORTEST, "centre"
    ),
    Architecture(
        "EfficientNet",
        "efficientnet",
        {"image_size": 32, "width_coefficient": 0.1, "depth_coefficient": 0.1, "hidden_dim": 128},
        "EfficientNet",
        {"size": square(32), "crop_size": square(289), "include_top": True},
    ),
    Architecture(
        "EfficientNet, offset",
        "efficientnet",
        {"image_size": 32, "width_coefficient": 0.1, "depth_coefficient": 0.1, "hidden_dim": 128},
        "EfficientNet",
        {
            "size": square(32),
            "rescale_factor": 1 / 127.5,
            "rescale_offset": True,
            "do_normalize": False,
            "include_top": False,
        },
    ),
    Architecture(
        "MobileNet V1",
        "mobilenet_v1",
        {"image_size": 32, "depth_multiplier": 0.25},
        "MobileNetV1",
        CENTRE,
        "centre",
    ),
    Architecture(
        "MobileNet V2",
        "mobilenet_v2",
        {"image_size": 32, "depth_multiplier": 0.25},
        "MobileNetV2",
        CENTRE,
        "centre",
    ),
    Architecture(
        "MobileViT",
        "mobilevit",
        {"image_size": 64, "hidden_sizes": [24, 32, 40], "neck_hidden_sizes": [8, 16, 24, 32, 40, 48, 96]},
        "MobileViT",
        {"size": {"shortest_edge": 72}, "crop_size": square(64)},
        "centre",
    ),
    Architecture(
        "MobileViT V2",
        "mobilevitv2",
        {"image_size": 64, "width_multiplier": 0.25, "n_attn_blocks": [1, 1, 1]},
        "MobileViT",
        {"size": {"shortest_edge": 72}, "crop_size": square(64)},
        "centre",
    ),
    Architecture(
        "DINOv2",
        "dinov2",
        LAYERS | {"image_size": 56, "patch_size": 14},
        "Bit",
        {"size": {"shortest_edge": 32}, "crop_size": square(28)},
        "centre",
    ),
    Architecture(
        "DINOv2 with registers",
        "dinov2_with_registers",
        LAYERS | {"image_size": 56, "patch_size": 14},
        "Bit",
        {"size": {"shortest_edge": 32}, "crop_size": square(28)},
        "centre",
    ),
    Architecture(
        "SigLIP",
        "siglip",
        {"vision_config": PATCHES, "text_config": LAYERS | {"vocab_size": 16}},
        "Siglip",
        PLAIN,
    ),
    Architecture(
        "CLIP",
        "clip",
        {"vision_config": PATCHES, "text_config": LAYERS | {"vocab_size": 16}},
        "CLIP",
        {"size": {"shortest_edge": 32}, "crop_size": square(32)},
    ),
    Architecture(
        "LeViT",
        "levit",
        {
            "image_size": 64,
            "hidden_sizes": [16, 24, 32],
            "num_attention_heads": [2, 2, 2],
            "depths": [1, 1, 1],
            "key_dim": [8, 8, 8],
            "architectures": ["LevitForImageClassification"],
        },
        "Levit",
        {"size": {"shortest_edge": 64}, "crop_size": square(64)},
        "centre",
    ),
    Architecture(
        "PoolFormer", "poolformer", STAGES, "PoolFormer", SHORTEST | {"crop_size": square(32)}, "centre"
    ),
    Architecture(
        "timm-wrapped",
        "timm_wrapper",
        {"architecture": "resnet18"},
        "TimmWrapper",
        {"image_processor_type": "TimmWrapperImageProcessor"},
        refused="needs a package",
        why="it needs the package timm",
    ),
)
