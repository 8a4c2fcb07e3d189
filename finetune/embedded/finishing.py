"""A trained network with two heads → a model folder: one head, calibration, ONNX.

The heads (FER+'s votes, FER2013's label) are merged by a weighted mean of their weights, which answers with
the normalised geometric mean of their probabilities.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel, ViTImageProcessor

from finetune.embedded.architectures import build
from finetune.embedded.ferplus import Faces
from finetune.embedded.pretrain_recipe import PretrainRecipe
from finetune.metrics import bias_corrected
from vibecheck.emotions import NAMES
from vibecheck.export.candidates import compile_folder
from vibecheck.export.torch_model import last_layer
from vibecheck.vision.manifest import Manifest

MEAN, STD = 0.5, 0.25
CROP_SCALE = 0.85
# Regularisation of the class biases towards 0, in labels: the best in five-fold cross-validation on `valid`
# (flat between 1 and 20).
BIAS_PRIOR_LABELS = 10.0
# Names of the outputs while two heads are trained: first the votes', then the label's.
OUTPUTS = [f"{head} {name}" for head in ("votes", "label") for name in NAMES]


def finish(
    model: PreTrainedModel, recipe: PretrainRecipe, priors: np.ndarray, valid: Faces, out: Path
) -> dict:
    """Write the model folder: weights, ONNX, and a manifest with a calibration that is fitted on `valid`.

    `priors` is 2 x 7: the class prior that each head was trained under. Temperature and class biases maximise
    the likelihood of the majority votes.
    """
    clear = valid.truth >= 0
    share, strength = recipe.label_share, recipe.prior_strength
    both = logits_of(model, pictures_of(valid), recipe.side, recipe.mirrored).double().numpy()
    logits = (1 - share) * both[:, : len(NAMES)] + share * both[:, len(NAMES) :]
    prior = priors[0] ** (1 - share) * priors[1] ** share
    prior /= prior.sum()
    fitted, biases = bias_corrected(logits[clear], valid.truth[clear], prior, strength, BIAS_PRIOR_LABELS)
    merged = fold(model, recipe, share)
    with torch.no_grad():
        last_layer(merged).bias += torch.from_numpy(fitted * biases).float()
    merged.half()
    merged.save_pretrained(out)
    ViTImageProcessor(
        size={"height": recipe.side, "width": recipe.side}, image_mean=[MEAN] * 3, image_std=[STD] * 3
    ).save_pretrained(out)
    manifest = Manifest(
        version=out.name,
        origin="trained on FER+ by python -m finetune pretrain",
        grey=True,
        crop_scale=CROP_SCALE,
        mirrored=recipe.mirrored,
        temperature=round(fitted, 4),
        class_prior=tuple(round(float(part), 4) for part in prior),
        prior_strength=strength,
    )
    manifest.write(out)
    report = compile_folder(out)
    return {"finished": str(out), "manifest": manifest.model_dump(), "candidates": report["candidates"]}


def fold(model: PreTrainedModel, recipe: PretrainRecipe, share: float) -> PreTrainedModel:
    """The model with one head: (1 - share) times the votes' plus `share` times the label's."""
    one = build(recipe.channels, list(NAMES))
    state = model.state_dict()
    head = last_layer(model)
    (name,) = (name for name, module in model.named_modules() if module is head)
    for part in ("weight", "bias"):
        votes, label = state[f"{name}.{part}"].split(len(NAMES))
        state[f"{name}.{part}"] = (1 - share) * votes + share * label
    one.load_state_dict(state)
    return one


def logits_of(model: nn.Module, pictures: torch.Tensor, side: int, mirrored: bool = False) -> torch.Tensor:
    """Uncalibrated logits (N x outputs) of a model for grey faces (N x 1 x S x S uint8).

    If `mirrored`, the mean over each face and its mirror image.
    """
    if mirrored:
        return (logits_of(model, pictures, side) + logits_of(model, pictures.flip(3), side)) / 2
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        parts = [
            model(pixel_values=normal(scaled(batch.to(device), side))).logits.float().cpu()
            for batch in pictures.split(256)
        ]
    return torch.cat(parts)


def pictures_of(faces: Faces) -> torch.Tensor:
    """The faces' pictures, N x 1 x S x S uint8."""
    return torch.from_numpy(faces.pictures).unsqueeze(1)


def scaled(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """Grey uint8 pictures as N x 1 x side x side float, 0 to 1."""
    values = pictures.float() / 255
    return F.interpolate(values, size=(side, side), mode="bilinear", antialias=True).clamp(0, 1)


def normal(pictures: torch.Tensor) -> torch.Tensor:
    """Grey pictures as the model's preprocessor normalises them, in three equal channels."""
    values = ((pictures - MEAN) / STD).expand(-1, 3, -1, -1)
    return values.contiguous(memory_format=torch.channels_last)
