"""Trains the embedded model on FER+.

FER+ has two labels for each face: the votes of ten people, and FER2013's, with far more fear and disgust. The
network has a head for each. The exponential moving average of the weights becomes the model folder (see
`finishing`). Runs on a GPU if there is one. An interrupted run resumes from its checkpoint.
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from finetune.embedded.architectures import build
from finetune.embedded.ferplus import Faces
from finetune.embedded.finishing import OUTPUTS, finish, logits_of, normal, pictures_of
from finetune.embedded.pretrain_recipe import PretrainRecipe
from finetune.embedded.training_set import TrainingSet, training_set
from finetune.metrics import scores
from finetune.training.augment import augment, mixed
from finetune.training.student import decay_groups
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError
from vibecheck.text.version_name import check_version_name

CHECKPOINT = "checkpoint.pt"
# The peak of the learning rate for a `rate` of 1, and the weight decay.
PEAK_RATE, WEIGHT_DECAY = 0.1, 5e-4
# The share of faces that is augmented in the last epochs.
CALM_SHARE = 0.5


def pretrain(
    train: Faces,
    valid: Faces,
    out: Path,
    recipe: PretrainRecipe,
    tell: Callable[[dict], None] = lambda event: None,
) -> None:
    """Train, and write the finished model folder into `out`.

    If it is interrupted, another call with the same arguments resumes after the last whole epoch. `tell`
    gets a dict after each epoch, and one at the end. On a CPU, the same recipe, data, machine and number of
    threads give the same model. Raises VibeCheckError if the name of `out` cannot be a version's, or if `out`
    holds a checkpoint of other arguments.
    """
    began = time.monotonic()
    try:
        check_version_name(out.name)
    except ValueError as error:
        raise VibeCheckError(f"The name of the folder --out becomes the version: {error}.") from error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True  # pictures keep their size for a whole epoch
    run = _Run(recipe, training_set(train, recipe.balance), device)
    out.mkdir(parents=True, exist_ok=True)
    first = run.resume(out / CHECKPOINT)
    for epoch in range(first, recipe.epochs):
        loss = run.epoch(epoch)
        logits = logits_of(run.average.module, pictures_of(valid), recipe.side)
        shares = logits[:, : len(NAMES)].softmax(1).numpy()  # by the votes' head
        clear = valid.truth >= 0
        found = scores(shares[clear], valid.truth[clear])
        run.save(out / CHECKPOINT, epoch + 1)
        tell(
            {
                "epoch": epoch + 1,
                "of": recipe.epochs,
                "loss": loss,
                "accuracy": found.accuracy,
                "balanced_accuracy": found.balanced_accuracy,
                "ece": found.ece,
                "minutes": (time.monotonic() - began) / 60,
            }
        )
    tell(finish(run.average.module, recipe, run.priors, valid, out))


class _Run:
    """The state of a run: model, average, optimiser, schedule, and `priors`: the last epoch's mean target."""

    def __init__(self, recipe: PretrainRecipe, faces: TrainingSet, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self._scaled_to = lru_cache(maxsize=1)(faces.scaled_to)  # the side changes once at most
        self.steps = len(faces) // recipe.batch
        if self.steps == 0:
            raise VibeCheckError(f"{len(faces)} faces are fewer than one batch of {recipe.batch}.")
        self.targets = torch.from_numpy(faces.targets).float().to(device)
        self.weights = torch.from_numpy(faces.weights)
        self.priors = np.full((2, len(NAMES)), 1 / len(NAMES))
        # What a checkpoint has to agree with.
        self._about = asdict(recipe) | {"faces": len(faces)}
        torch.manual_seed(recipe.seed)
        model = build(recipe.channels, OUTPUTS)
        self.model = model.to(device).to(memory_format=torch.channels_last)
        keep = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=keep, use_buffers=True)
        groups = decay_groups(self.model, WEIGHT_DECAY)
        self.optimiser = torch.optim.SGD(groups, lr=PEAK_RATE, momentum=0.9, nesterov=True)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser,
            recipe.rate * PEAK_RATE,
            recipe.epochs * self.steps,
            pct_start=0.1,
            cycle_momentum=False,
        )
        self._parts = (self.model, self.average, self.optimiser, self.schedule)  # what a checkpoint holds

    def epoch(self, number: int) -> float:
        """One epoch, seeded by its number alone; returns the mean loss."""
        recipe = self.recipe
        side = recipe.small_side if number < recipe.small_share * recipe.epochs else recipe.side
        calm = number >= (1 - recipe.calm_share) * recipe.epochs
        mixup, share = (0.0, CALM_SHARE) if calm else (recipe.mixup, 1.0)
        seed = recipe.seed * 1000 + number
        torch.manual_seed(seed)  # for dropout
        generator = torch.Generator().manual_seed(seed)
        on_device = generator if self.device.type == "cpu" else torch.Generator(self.device).manual_seed(seed)
        self.model.train()
        loss_sum = torch.zeros((), device=self.device)
        target_sum = torch.zeros(2, len(NAMES), device=self.device)
        everyone = self._scaled_to(side, self.device)
        drawn = torch.multinomial(self.weights, self.steps * recipe.batch, True, generator=generator)
        for batch in drawn.to(self.device).view(self.steps, recipe.batch):
            pictures = augment(everyone[batch].float() / 255, on_device, share)
            pictures, targets = mixed(pictures, self.targets[batch], mixup, on_device)
            inputs = normal(pictures)
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                logits = self.model(pixel_values=inputs).logits
            votes, label = logits.float().split(len(NAMES), dim=1)
            loss = F.cross_entropy(votes, targets[:, 0])
            loss = loss + recipe.label_weight * F.cross_entropy(label, targets[:, 1])
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimiser.step()
            self.schedule.step()
            self.average.update_parameters(self.model)
            loss_sum += loss.detach()
            target_sum += targets.mean(0)
        self.priors = (target_sum.double() / self.steps).cpu().numpy()
        return loss_sum.item() / self.steps

    def save(self, path: Path, epoch: int) -> None:
        """Write a checkpoint, whole or not at all."""
        parts = [part.state_dict() for part in self._parts]
        priors = torch.from_numpy(self.priors)
        state = {"epoch": epoch, "about": self._about, "priors": priors, "parts": parts}
        unfinished = path.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(path)

    def resume(self, path: Path) -> int:
        """Load the checkpoint, if there is one; returns the first epoch to run."""
        if not path.exists():
            return 0
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state.get("about") != self._about:
            raise VibeCheckError(
                f"{path} is of a run with another recipe or other data. Name another --out, or delete it."
            )
        for part, saved in zip(self._parts, state["parts"], strict=True):
            part.load_state_dict(saved)
        self.priors = state["priors"].numpy()
        return state["epoch"]
