"""Faces to train the embedded model on: pictures, targets of both heads, and how often each is drawn."""

from dataclasses import dataclass

import numpy as np
import torch

from finetune.embedded.ferplus import COLUMNS, Faces
from finetune.embedded.finishing import pictures_of, scaled
from finetune.embedded.recipe import PretrainRecipe
from vibecheck.emotions import NAMES


@dataclass(frozen=True)
class TrainingSet:
    """N faces with `targets` (N x 2 x 7) and sampling `weights` (N).

    `pictures` has one tensor (n x 1 x S x S uint8) for each source; N is the sum of n.
    """

    pictures: tuple[torch.Tensor, ...]
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.weights)

    def scaled_to(self, side: int, device: torch.device) -> torch.Tensor:
        """The faces, N x 1 x side x side uint8, on the device."""
        parts = [
            (scaled(batch.to(device), side) * 255).round().to(torch.uint8)
            for source in self.pictures
            for batch in source.split(1024)
        ]
        return torch.cat(parts)


def training_set(ferplus: Faces, muxspace: Faces | None, recipe: PretrainRecipe) -> TrainingSet:
    """The usable faces of FER+, and muxspace's if given."""
    # At least half of the votes went to the seven.
    seven = ferplus.votes[:, COLUMNS].sum(axis=1)
    ferplus = ferplus.take(seven * 2 >= ferplus.votes.sum(axis=1))
    targets = both_targets(ferplus)
    weights = draw_weights(targets, recipe.balance)
    if muxspace is None:
        return TrainingSet((pictures_of(ferplus),), targets, weights)
    more = both_targets(muxspace)
    drawn = draw_weights(more, recipe.muxspace_balance)
    drawn *= recipe.muxspace_share / (1 - recipe.muxspace_share) * weights.sum() / drawn.sum()
    pictures = pictures_of(ferplus), pictures_of(muxspace)
    return TrainingSet(pictures, np.concatenate([targets, more]), np.concatenate([weights, drawn]))


def both_targets(faces: Faces) -> np.ndarray:
    """The targets of both heads (N x 2 x 7): the votes, and FER2013's label."""
    return np.stack([faces.shares, np.eye(len(NAMES))[faces.label]], axis=1)


def draw_weights(targets: np.ndarray, balance: float) -> np.ndarray:
    """Sampling weights (N) for targets (N x 2 x 7): rare expressions are drawn more often."""
    goal = targets.mean(axis=1)
    mix = np.maximum(goal.mean(axis=0), 1e-3)
    return goal @ (mix**-balance)
