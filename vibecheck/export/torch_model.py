"""A Hugging Face model folder as a PyTorch module that takes face crops and gives calibrated logits.

Imports torch and transformers, so it runs in a process of its own: `python -m vibecheck compile`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification

from vibecheck.errors import ModelError
from vibecheck.export.pixels import PixelMap, measure_pixels, one_line, run_processor
from vibecheck.vision.classifier import label_mapping
from vibecheck.vision.manifest import Manifest

# ITU-R BT.601 luma, as in Pillow's "L" and OpenCV's RGB2GRAY.
LUMA = (0.299, 0.587, 0.114)
# The same in Pillow's fixed-point numbers, for models with one channel.
PILLOW_LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)
WEIGHTS = "*.safetensors"
# Buffers that are computed from the configuration, or unused after training: some files contain them
# although this version of transformers does not, or the reverse.
COMPUTED = (
    "num_batches_tracked", "position_ids", "relative_position_index", "relative_coords_table",
    "attention_bias_idxs",
)  # fmt: skip
NAMED = 3  # the number of weights that a message names


class WithPixels(torch.nn.Module):
    """Wraps preprocessing and temperature scaling (Guo et al. 2017) into the exported graph.

    N x S x S x 3 uint8 RGB → calibrated logits.
    """

    def __init__(self, model: torch.nn.Module, pixels: PixelMap, manifest: Manifest, processor: Any) -> None:
        super().__init__()
        self.model, self.pixels, self.manifest, self.processor = model, pixels, manifest, processor
        self.luma = PILLOW_LUMA if pixels.channels == 1 else LUMA

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        about = self.pixels
        if about.side != about.size:
            edge = (about.side - about.size) // 2
            pixels = pixels[:, edge : edge + about.size, edge : edge + about.size]
        # Channel by channel: ONNX Runtime takes ten times longer to multiply N x S x S x 3 by three numbers.
        planes = pixels.to(torch.float32).unbind(3)
        if self.manifest.grey or about.channels == 1:
            plane = sum(share * each for share, each in zip(self.luma, planes, strict=True))
            if about.channels == 1:  # whole numbers, as in the grey pictures that its processor takes
                plane = torch.floor(plane + 0.5)
            planes = (plane,) * 3
        mapped = [
            planes[channel] * scale + shift
            for channel, scale, shift in zip(about.order, about.scale, about.shift, strict=True)
        ]
        values = torch.stack(mapped, dim=1)
        return self.model(pixel_values=values).logits / self.manifest.temperature

    def reference(self, pixels: torch.Tensor) -> torch.Tensor:
        """The calibrated answers of transformers' own processor and model to the same crops."""
        pictures = pixels.numpy()
        if self.pixels.channels == 1:
            pictures = grey(pictures)[..., :1]
        values = torch.from_numpy(run_processor(self.processor, pictures))
        with torch.inference_mode():
            return self.model(pixel_values=values).logits / self.manifest.temperature


def grey(pictures: np.ndarray) -> np.ndarray:
    """N x H x W x 3 uint8 RGB as Pillow makes grey pictures of them, in three equal channels."""
    return np.stack([np.asarray(Image.fromarray(each).convert("L").convert("RGB")) for each in pictures])


def last_layer(model: torch.nn.Module) -> torch.nn.Linear:
    """The layer that gives the logits."""
    return [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]


def open_folder(folder: Path, manifest: Manifest, attention: str | None = None) -> tuple[WithPixels, int]:
    """The folder's PyTorch model in full precision, calibrated, and the side of its input in px.

    `attention` is the implementation that transformers takes, None its default. "eager" is for export: Swin
    and BEiT need it, and SDPA's guards against NaN cost a ViT about 10% in 8 bits. Weights come from
    safetensors only, and no code from the folder runs. Raises ModelError.
    """
    label_mapping(folder)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = _load(folder, config, attention)
        pixels = measure_pixels(processor, _channels(config), _image_size(config))
        opened = WithPixels(model.eval(), pixels, manifest, processor)
        _try(opened)
    except ModelError as error:
        raise ModelError(f"{manifest.version} cannot be used: {error}.") from error
    except ImportError as error:
        raise ModelError(
            f"{manifest.version} needs a package that VibeCheck does not install: {one_line(error)}."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{manifest.version} cannot be opened: {one_line(error)}.") from error
    return opened, pixels.side


def _load(folder: Path, config: Any, attention: str | None) -> torch.nn.Module:
    """The model, all of whose weights are in the folder's files and nothing else.

    Trainers write weights under prefixes (`module.`, `_orig_mod.`, `model.`): one that explains all names is
    removed. Raises ModelError that names weights.
    """
    common: dict[str, Any] = {
        "config": config,
        "dtype": torch.float32,
        "attn_implementation": attention,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,
    }
    model, info = AutoModelForImageClassification.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, **common
    )
    if not (faults := [_faults(info)])[0]:
        return model
    paths = sorted(folder.glob(WEIGHTS))
    weights = {name: weight for path in paths for name, weight in load_file(path).items()}
    while prefix := _shared_prefix(weights):
        weights = {name.removeprefix(prefix): weight for name, weight in weights.items()}
        model, info = type(model).from_pretrained(None, state_dict=weights, trust_remote_code=False, **common)
        faults.append(_faults(info))
        if not faults[-1]:
            return model
    raise ModelError(min(faults, key=len))


def _faults(info: dict[str, Any]) -> str:
    """Which weights are missing, unexpected or of another shape, or nothing."""
    kinds = {
        "lacks": info["missing_keys"],
        "has unknown": info["unexpected_keys"],
        "has, in another shape,": [name for name, *_ in info["mismatched_keys"]],
    }
    told = []
    for verb, names in kinds.items():
        names = sorted(name for name in names if not name.endswith(COMPUTED))
        if names:
            more = f" and {len(names) - NAMED} more" * (len(names) > NAMED)
            told.append(f"{verb} {', '.join(names[:NAMED])}{more}")
    return f"its weights file {', '.join(told)}" if told else ""


def _shared_prefix(names: Any) -> str:
    """The first part of a dotted name, with its dot, if all names share it."""
    firsts = {name.partition(".")[0] for name in names if "." in name}
    return f"{firsts.pop()}." if len(firsts) == 1 and all("." in name for name in names) else ""


def _channels(config: Any) -> int:
    channels = getattr(config, "num_channels", 3)
    if channels not in (1, 3):
        raise ModelError(f"it takes pictures with {channels} channels, and VibeCheck has 3, or 1 in grey")
    return channels


def _image_size(config: Any) -> int:
    """A side to try the processor on, px."""
    size = getattr(config, "image_size", None)
    return size if isinstance(size, int) and size > 0 else 224


def _try(model: WithPixels) -> None:
    """Refuse a model that does not accept the output of its own processor."""
    side = model.pixels.side
    try:
        with torch.inference_mode():
            model(torch.zeros((1, side, side, 3), dtype=torch.uint8))
    except Exception as error:  # third-party code: any exception is the reason
        raise ModelError(
            f"the model does not accept the pictures of its own processor ({one_line(error)})"
        ) from error
