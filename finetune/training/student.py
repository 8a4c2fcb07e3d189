"""The model in training: its inputs, its loss, and which of its parameters are trained.

Temperature scaling and the class-prior correction are inside the loss, so its outputs are those of the app
and old and new weights can be mixed afterwards. Targets are distilled: a mix of the label and the
champion's answer to the same picture (learning without forgetting, Li and Hoiem 2016, arXiv:1606.09282),
so a wrong label does less harm.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from finetune.training.augment import augment
from vibecheck.emotions import NAMES
from vibecheck.export.torch_model import LUMA, WithPixels, last_layer
from vibecheck.vision.manifest import Manifest

# A list of fewer modules is not the body of a network.
FEWEST_BLOCKS = 3
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class Student(nn.Module):
    """A network with preprocessing, calibration and loss. `weights` are class weights (7).

    `share` of each batch is augmented (see `augment`), the rest only mirrored; `distill` is the weight of
    the champion's answer in the target, 0 to 1.
    """

    def __init__(
        self,
        inner: WithPixels,
        mapping: Sequence[int],
        manifest: Manifest,
        weights: np.ndarray,
        distill: float,
        share: float,
    ) -> None:
        super().__init__()
        self.inner = inner
        self.grey, self.mirrored = manifest.grey, manifest.mirrored
        self.distill, self.share = distill, share
        self._groups = [np.flatnonzero(np.equal(mapping, mood)).tolist() for mood in range(len(NAMES))]
        prior = torch.tensor(manifest.class_prior or [1 / len(NAMES)] * len(NAMES))
        self.register_buffer("prior", prior.log(), persistent=False)
        self.register_buffer("shift", manifest.prior_strength * prior.log(), persistent=False)
        self.register_buffer("teacher_shift", torch.zeros(len(NAMES)), persistent=False)
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32), persistent=False)
        self.register_buffer("luma", torch.tensor(LUMA), persistent=False)

    def forward(
        self, pixels: torch.Tensor, labels: torch.Tensor | None = None, teacher: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """The loss, and `logits`: log-probabilities (N x 7), corrected as in the app.

        `pixels` is N x S x S x 3 uint8 RGB, `labels` N indices of moods, `teacher` N x 7 probabilities.
        """
        if self.training:
            with torch.autocast(pixels.device.type, enabled=False):
                pixels = self._augmented(pixels)
        answers = self.answers(pixels)
        if labels is None:
            return {"logits": answers}
        truth = F.one_hot(labels, len(NAMES)).to(answers.dtype)
        if teacher is not None and self.training:
            teacher = (teacher.clamp_min(1e-9).log() + self.teacher_shift).softmax(1)
            truth = (1 - self.distill) * truth + self.distill * teacher
        loss = -(truth * answers).sum(1)
        weights = self.weights[labels]
        return {"loss": (loss * weights).sum() / weights.sum(), "logits": answers}

    def set_prior_strength(self, strength: float, teacher_is_base: bool) -> None:
        """Set the strength of the class-prior correction.

        `teacher_is_base`: the teacher is this model before training, so its answers change with it.
        """
        shift = strength * self.prior
        self.teacher_shift.copy_(self.shift - shift if teacher_is_base else torch.zeros_like(shift))
        self.shift.copy_(shift)

    def answers(self, pixels: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (N x 7); in training mode without mirror averaging."""
        logits = self.inner(pixels)
        if self.mirrored and not self.training:
            logits = (logits + self.inner(pixels.flip(2))) / 2
        shares = logits.float().log_softmax(1)
        moods = torch.stack([shares[:, group].logsumexp(1) for group in self._groups], dim=1)
        return (moods - self.shift).log_softmax(1)

    def train(self, mode: bool = True) -> "Student":
        """Like `train` of any module, except that batch norm keeps its running statistics."""
        super().train(mode)
        for norm in norms(self):
            norm.eval()
        return self

    def _augmented(self, pixels: torch.Tensor) -> torch.Tensor:
        # Seeded from torch's global generator, which is in the checkpoints: a resumed run draws the same.
        generator = torch.Generator(pixels.device).manual_seed(int(torch.randint(2**31, ())))
        faces = pixels.float() / 255
        if self.grey:
            faces = (faces * self.luma).sum(dim=3, keepdim=True)
        order = torch.randperm(len(faces), generator=generator, device=pixels.device)
        altered = augment(faces.permute(0, 3, 1, 2)[order], generator, self.share)
        faces = altered[order.argsort()].permute(0, 2, 3, 1) * 255
        return faces.expand(-1, -1, -1, 3)


def blocks(model: nn.Module) -> list[nn.Module]:
    """The stages or layers of a network's body, from input to head."""
    lists = [each for each in model.modules() if isinstance(each, nn.ModuleList | nn.Sequential)]
    return next((list(each) for each in lists if len(each) >= FEWEST_BLOCKS), [])


def train_head_only(model: nn.Module) -> None:
    """Train the head only."""
    model.requires_grad_(False)
    last_layer(model).requires_grad_(True)


def freeze_first(model: nn.Module, share: float) -> None:
    """Train everything except the first `share` of the blocks and what comes before them."""
    model.requires_grad_(True)
    body = blocks(model)
    frozen = body[: round(share * len(body))]
    if not frozen:
        return
    first = {id(parameter) for block in frozen for parameter in block.parameters()}
    before = True
    for parameter in model.parameters():
        if id(parameter) in first:
            before = False
            parameter.requires_grad_(False)
        elif before:  # the stem
            parameter.requires_grad_(False)


def norms(model: nn.Module) -> list[Any]:
    """The batch-norm layers, in order."""
    return [module for module in model.modules() if isinstance(module, BATCH_NORMS)]


def decay_groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """The trained parameters for an optimiser, without weight decay for biases and normalisation."""
    trained = [each for each in model.parameters() if each.requires_grad]
    return [
        {"params": [each for each in trained if each.ndim >= 2], "weight_decay": decay},
        {"params": [each for each in trained if each.ndim < 2], "weight_decay": 0.0},
    ]


def class_weights(counts: Sequence[int] | np.ndarray, balance: float) -> np.ndarray:
    """Class weights by inverse frequency to the power `balance`, with a mean of 1 over the labels.

    0 weighs all labels alike, 1 all moods. Frequencies below 0.01 count as 0.01.
    """
    mix = np.asarray(counts) / max(1, sum(counts))
    weights = np.maximum(mix, 0.01) ** -balance
    return weights / (weights * mix).sum()
