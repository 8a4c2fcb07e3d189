"""A model that learns from corrections: what it sees, what it is to answer, and what of it may change.

It answers as it will in the app: its temperature and the correction for its class prior are inside the
loss, so the old weights and the new ones can be mixed afterwards. What it is to answer lies between
the label and what the champion says of the same picture (learning without forgetting, Li and Hoiem 2016,
arXiv:1606.09282), so a wrong label pulls less.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from finetune.training.augment import augment
from vibecheck.emotions import NAMES
from vibecheck.export.torch_model import LUMA, WithPixels, last_layer
from vibecheck.vision.manifest import Manifest

# Fewer blocks in a row are no body of a network.
FEWEST_BLOCKS = 3


class Student(nn.Module):
    """A model with all that belongs round it. `weights` is what a label of each mood counts for.

    `share` of each batch is altered as `augment` does, the rest no more than mirrored; `distill` is how
    much the champion's answer counts beside the label, 0 to 1.
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
        self._groups = [
            [i for i, mood in enumerate(mapping) if mood == number] for number in range(len(NAMES))
        ]
        prior = torch.tensor(manifest.class_prior or [1 / len(NAMES)] * len(NAMES))
        self.register_buffer("prior", prior.log(), persistent=False)
        self.register_buffer("shift", manifest.prior_strength * prior.log(), persistent=False)
        self.register_buffer("unlike", torch.zeros(len(NAMES)), persistent=False)
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32), persistent=False)
        self.register_buffer("luma", torch.tensor(LUMA), persistent=False)

    def forward(
        self, pixels: torch.Tensor, labels: torch.Tensor | None = None, teacher: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """The loss, and `logits`: the logarithms of N x 7 probabilities, corrected as in the app.

        `pixels` is N x S x S x 3 uint8 RGB, `labels` N indices of moods, `teacher` N x 7 probabilities.
        """
        if self.training:
            with torch.autocast(pixels.device.type, enabled=False):
                pixels = self._altered(pixels)
        answers = self.answers(pixels)
        if labels is None:
            return {"logits": answers}
        truth = F.one_hot(labels, len(NAMES)).to(answers.dtype)
        if teacher is not None and self.training:
            teacher = (teacher.clamp_min(1e-9).log() + self.unlike).softmax(1)
            truth = (1 - self.distill) * truth + self.distill * teacher
        loss = -(truth * answers).sum(1)
        weights = self.weights[labels]
        return {"loss": (loss * weights).sum() / weights.sum(), "logits": answers}

    def meet(self, strength: float, teacher_is_like: bool) -> None:
        """Take another strength of the correction for the prior; `teacher_is_like` says whether what the
        teacher answered was corrected as this model was, and is to be corrected anew with it."""
        shift = strength * self.prior
        self.unlike.copy_(self.shift - shift if teacher_is_like else torch.zeros_like(shift))
        self.shift.copy_(shift)

    def answers(self, pixels: torch.Tensor) -> torch.Tensor:
        """The logarithms of N x 7 probabilities; while it learns, without mirror images."""
        logits = self.inner(pixels)
        if self.mirrored and not self.training:
            logits = (logits + self.inner(pixels.flip(2))) / 2
        shares = logits.float().log_softmax(1)
        moods = torch.stack([shares[:, group].logsumexp(1) for group in self._groups], dim=1)
        return (moods - self.shift).log_softmax(1)

    def train(self, mode: bool = True) -> "Student":
        """As in any module, but what normalises by a batch goes on with the statistics it has."""
        super().train(mode)
        for norm in norms(self):
            norm.eval()
        return self

    def _altered(self, pixels: torch.Tensor) -> torch.Tensor:
        # Seeded by torch's own generator, which checkpoints keep: a run that goes on draws as it would have.
        dice = torch.Generator(pixels.device).manual_seed(int(torch.randint(2**31, ())))
        faces = pixels.float() / 255
        if self.grey:
            faces = (faces * self.luma).sum(dim=3, keepdim=True)
        order = torch.randperm(len(faces), generator=dice, device=pixels.device)
        altered = augment(faces.permute(0, 3, 1, 2)[order], dice, self.share)
        faces = altered[order.argsort()].permute(0, 2, 3, 1) * 255
        return faces.expand(-1, -1, -1, 3)


def blocks(model: nn.Module) -> list[nn.Module]:
    """The body of a network, from its input to its head: its stages or layers, in order."""
    lists = [each for each in model.modules() if isinstance(each, nn.ModuleList | nn.Sequential)]
    return next((list(each) for each in lists if len(each) >= FEWEST_BLOCKS), [])


def only_head(model: nn.Module) -> None:
    """Let nothing but the head learn."""
    model.requires_grad_(False)
    last_layer(model).requires_grad_(True)


def but_the_first(model: nn.Module, share: float) -> None:
    """Let all learn but the first `share` of the blocks, and what comes before them."""
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
        elif before:  # what stands before the first block: it sees the pixels
            parameter.requires_grad_(False)


def norms(model: nn.Module) -> list[Any]:
    """The layers that normalise by a batch, in order."""
    return [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def has_batch_norm(model: nn.Module) -> bool:
    """Whether it is a network of convolutions of the kind that takes large steps."""
    return bool(norms(model))


def learning(model: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters that may change."""
    return (parameter for parameter in model.parameters() if parameter.requires_grad)


def class_weights(counts: Sequence[int] | np.ndarray, balance: float) -> np.ndarray:
    """What a label of each mood counts for: the rarer, the more; 1 on average over the labels.

    `balance` is the power of the frequency: 0 counts all labels alike, 1 all moods. A mood that was labelled
    less than a hundredth of the time counts as one that was labelled as often as that.
    """
    mix = np.asarray(counts) / max(1, sum(counts))
    weights = np.maximum(mix, 0.01) ** -balance
    return weights / (weights * mix).sum()
