"""Trains the embedded model from scratch on FER+, so that it can be made again by anybody.

FER+ has two opinions on each face: the votes of ten people, and the label of FER2013's collectors, who
saw far more fear and disgust. The network learns both, with a head for each; an average of the weights over
the run (EMA) is what is kept, and made a model folder by `finishing`. A run that was interrupted goes on
from its checkpoint.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from finetune.embedded.architectures import ARCHITECTURES, build
from finetune.embedded.ferplus import Faces
from finetune.embedded.finishing import OUTPUTS, finish, logits_of, normal, pictures_of, scaled
from finetune.embedded.recipe import Recipe
from finetune.metrics import report
from finetune.training.augment import augment, mixed
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError

CHECKPOINT = "checkpoint.pt"
# Of the faces in a calm epoch, the share that is altered.
CALM_SHARE = 0.5


def usable(faces: Faces) -> np.ndarray:
    """A mask of the faces to train on: at least half of the votes went to the seven."""
    seven = faces.votes[:, :7].sum(axis=1)
    return seven * 2 >= faces.votes.sum(axis=1)


def pretrain(
    train: Faces,
    valid: Faces,
    out: Path,
    recipe: Recipe,
    tell: Callable[[dict], None] = lambda event: None,
    minutes: float = math.inf,
) -> bool:
    """Train, and write the finished model folder into `out`; returns whether it is finished.

    Stops after an epoch that ends later than `minutes` after the start: call it again with the same
    recipe to go on. `tell` gets a dict after each epoch, and one at the end. The same recipe, data,
    machine and number of threads give the same model. Raises VibeCheckError if `out` holds a
    checkpoint of another recipe.
    """
    began = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(recipe.seed)
    train = train.take(usable(train))
    goals = opinions(train)
    weights = draw_weights(goals, recipe.balance)
    run = _Run(recipe, train, goals, weights, device)
    out.mkdir(parents=True, exist_ok=True)
    first = run.resume(out / CHECKPOINT)
    for epoch in range(first, recipe.epochs):
        loss = run.epoch(epoch)
        shares = run.answers(valid)
        clear = valid.truth >= 0
        scores = report(shares[clear], valid.truth[clear])
        run.save(out / CHECKPOINT, epoch + 1)
        elapsed = time.monotonic() - began
        tell(
            {
                "epoch": epoch + 1,
                "of": recipe.epochs,
                "loss": loss,
                **{name: scores[name] for name in ("accuracy", "balanced_accuracy", "ece")},
                "minutes": elapsed / 60,
            }
        )
        if elapsed > minutes * 60 and epoch + 1 < recipe.epochs:
            return False
    tell(finish(run.average.module, recipe, priors(goals, weights), valid, out))
    return True


def opinions(faces: Faces) -> np.ndarray:
    """N x 2 x 7: what the two heads are to answer for each face, the votes and FER2013's label."""
    return np.stack([faces.shares, np.eye(len(NAMES))[faces.label]], axis=1)


def draw_weights(goals: np.ndarray, balance: float) -> np.ndarray:
    """How often each face (goals: N x 2 x 7) is drawn: the rarer its expression, the more often."""
    goal = goals.mean(axis=1)
    mix = np.maximum(goal.mean(axis=0), 1e-3)
    return goal @ (mix**-balance)


def priors(goals: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """2 x 7: the mix of moods that each head is trained under."""
    return np.einsum("n,nhm->hm", weights / weights.sum(), goals)


class _Run:
    """The moving parts of a run: model, average, optimiser, schedule, randomness."""

    def __init__(
        self, recipe: Recipe, faces: Faces, goals: np.ndarray, weights: np.ndarray, device: torch.device
    ) -> None:
        self.recipe, self.device = recipe, device
        self.faces = pictures_of(faces)
        self.goals = torch.from_numpy(goals).float()
        self.weights = torch.from_numpy(weights)
        self.steps = len(faces) // recipe.batch
        if self.steps == 0:
            raise VibeCheckError(f"{len(faces)} faces are fewer than one batch of {recipe.batch}.")
        torch.manual_seed(recipe.seed)
        model = build(recipe.architecture, recipe.side, OUTPUTS)
        self.model = model.to(device).to(memory_format=torch.channels_last)
        keep = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=keep, use_buffers=True)
        self.optimiser, self.schedule = _optimiser(self.model, recipe, self.steps)
        self._parts = (self.model, self.average, self.optimiser, self.schedule)  # what a checkpoint holds

    def epoch(self, number: int) -> float:
        """One pass; returns the mean loss. Its randomness depends on its number alone."""
        recipe = self.recipe
        side = recipe.small_side if number < recipe.small_share * recipe.epochs else recipe.side
        calm = number >= (1 - recipe.calm_share) * recipe.epochs
        mixup, share = (0.0, CALM_SHARE) if calm else (recipe.mixup, 1.0)
        seed = recipe.seed * 1000 + number
        torch.manual_seed(seed)  # that of layers which drop something
        dice = torch.Generator().manual_seed(seed)
        here = dice if self.device.type == "cpu" else torch.Generator(self.device).manual_seed(seed)
        self.model.train()
        losses = []
        drawn = torch.multinomial(self.weights, self.steps * recipe.batch, True, generator=dice)
        for batch in drawn.view(self.steps, recipe.batch):
            pictures = augment(scaled(self.faces[batch].to(self.device), side), here, share)
            pictures, goals = mixed(pictures, self.goals[batch].to(self.device), mixup, here)
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                logits = self.model(pixel_values=normal(pictures)).logits
            votes, label = logits.float().split(len(NAMES), dim=1)
            loss = F.cross_entropy(votes, goals[:, 0])
            loss = loss + recipe.label_weight * F.cross_entropy(label, goals[:, 1])
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimiser.step()
            self.schedule.step()
            self.average.update_parameters(self.model)
            losses.append(loss.item())
        return float(np.mean(losses))

    def answers(self, faces: Faces) -> np.ndarray:
        """N x 7 probabilities by the votes' head of the averaged model."""
        logits = logits_of(self.average.module, pictures_of(faces), self.recipe.side)
        return logits[:, : len(NAMES)].softmax(1).numpy()

    def save(self, path: Path, epoch: int) -> None:
        """Keep all that is needed to go on, whole or not at all."""
        parts = [part.state_dict() for part in self._parts]
        state = {"epoch": epoch, "recipe": asdict(self.recipe), "parts": parts}
        unfinished = path.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(path)

    def resume(self, path: Path) -> int:
        """Go on where a checkpoint was left, if there is one; returns the epoch to begin with."""
        if not path.exists():
            return 0
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise VibeCheckError(f"{path} is of another recipe. Name another --out, or delete it.")
        for part, saved in zip(self._parts, state["parts"], strict=True):
            part.load_state_dict(saved)
        return state["epoch"]


def _optimiser(
    model: nn.Module, recipe: Recipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """The optimiser that suits the architecture, and a learning rate that rises once and falls."""
    how = ARCHITECTURES[recipe.architecture]
    # Biases and the scales of normalisation are not drawn to zero.
    flat = [p for p in model.parameters() if p.ndim < 2]
    rest = [p for p in model.parameters() if p.ndim >= 2]
    groups = [{"params": rest, "weight_decay": how.decay}, {"params": flat, "weight_decay": 0.0}]
    if how.optimiser == "sgd":
        optimiser = torch.optim.SGD(groups, lr=how.rate, momentum=0.9, nesterov=True)
    else:
        optimiser = torch.optim.AdamW(groups, lr=how.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate * how.rate, recipe.epochs * steps, pct_start=0.1, cycle_momentum=False
    )
    return optimiser, schedule


def as_line(event: dict) -> str:
    """An event as a line of JSON."""
    return json.dumps({key: round(v, 5) if isinstance(v, float) else v for key, v in event.items()})
