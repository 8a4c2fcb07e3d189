"""Faces to train the embedded model on: pictures, targets of both heads, and how often each is drawn."""

from dataclasses import dataclass

import numpy as np
import torch

from finetune.embedded.ferplus import COLUMNS, Faces
from finetune.embedded.finishing import pictures_of, scaled
from vibecheck.emotions import NAMES


@dataclass(frozen=True)
class TrainingSet:
    """N faces (N x 1 x S x S uint8) with `targets` (N x 2 x 7) and sampling `weights` (N)."""

    pictures: torch.Tensor
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.weights)

    def scaled_to(self, side: int, device: torch.device) -> torch.Tensor:
        """The faces, N x 1 x side x side uint8, on the device."""
        batches = self.pictures.split(1024)
        return torch.cat([(scaled(each.to(device), side) * 255).round().to(torch.uint8) for each in batches])


def training_set(faces: Faces, balance: float) -> TrainingSet:
    """The faces of which at least half of the votes went to the seven moods."""
    seven = faces.votes[:, COLUMNS].sum(axis=1)
    usable = faces.take(seven * 2 >= faces.votes.sum(axis=1))
    targets = both_targets(usable)
    return TrainingSet(pictures_of(usable), targets, draw_weights(targets, balance))


def both_targets(faces: Faces) -> np.ndarray:
    """The targets of both heads (N x 2 x 7): the votes, and FER2013's label."""
    return np.stack([faces.shares, np.eye(len(NAMES))[faces.label]], axis=1)


def draw_weights(targets: np.ndarray, balance: float) -> np.ndarray:
    """Sampling weights (N) for targets (N x 2 x 7): rare expressions are drawn more often."""
    goal = targets.mean(axis=1)
    mix = np.maximum(goal.mean(axis=0), 1e-3)
    return goal @ (mix**-balance)
