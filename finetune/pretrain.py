"""Trains the embedded model from scratch on FER+, so that it can be made again by anybody.

Each face's target is the distribution of its votes, mixed with FER2013's own label; an average of the
weights over the run (EMA) is what is kept. A run that was interrupted goes on from its checkpoint.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import nn
from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

from finetune.augment import augment
from finetune.ferplus import Faces
from finetune.metrics import report
from vibecheck.compiler import compile_folder
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError
from vibecheck.manifest import Manifest
from vibecheck.probes import face_probes

MEAN, STD = 0.5, 0.25
CHECKPOINT = "checkpoint.pt"
CROP_SCALE = 0.85


@dataclass(frozen=True)
class Recipe:
    """What decides the outcome of a run, beside the data.

    `label_share` of the target is FER2013's label, the rest the votes. Faces are drawn in proportion to
    the frequency of their label to the power of -`balance`. `rate` is the highest learning rate,
    reached after a tenth of the run.
    """

    epochs: int = 28
    side: int = 80
    widths: tuple[int, ...] = (64, 128, 192, 320)
    depths: tuple[int, ...] = (2, 2, 2, 2)
    batch: int = 128
    rate: float = 0.1
    decay: float = 5e-4
    label_share: float = 0.2
    balance: float = 0.25
    dropout: float = 0.2
    average: float = 0.998
    seed: int = 0


def build(recipe: Recipe) -> ResNetForImageClassification:
    """An untrained model."""
    config = ResNetConfig(
        num_channels=3,
        embedding_size=recipe.widths[0],
        hidden_sizes=list(recipe.widths),
        depths=list(recipe.depths),
        layer_type="basic",
        id2label=dict(enumerate(NAMES)),
        label2id={name: i for i, name in enumerate(NAMES)},
    )
    model = ResNetForImageClassification(config)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def targets(faces: Faces, label_share: float) -> np.ndarray:
    """N x 7: what the model is to answer for each face."""
    return (1 - label_share) * faces.shares + label_share * np.eye(len(NAMES))[faces.label]


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
    goal = targets(train, recipe.label_share)
    weights = _draw_weights(goal, recipe.balance)
    run = _Run(recipe, train, goal, weights, device)
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
    prior = (weights / weights.sum()) @ goal
    tell(finish(run.average.module, recipe, prior, valid, out))
    return True


def _draw_weights(goal: np.ndarray, balance: float) -> np.ndarray:
    """How often each face is drawn: the rarer its expression, the more often."""
    mix = np.maximum(goal.mean(axis=0), 1e-3)
    return goal @ (mix**-balance)


class _Run:
    """The moving parts of a run: model, average, optimiser, schedule, randomness."""

    def __init__(
        self, recipe: Recipe, faces: Faces, goal: np.ndarray, weights: np.ndarray, device: torch.device
    ) -> None:
        self.recipe, self.device = recipe, device
        self.pictures = _as_tensor(faces.pictures, recipe.side)
        self.goal = torch.from_numpy(goal).float()
        self.weights = torch.from_numpy(weights)
        self.steps = len(faces) // recipe.batch
        if self.steps == 0:
            raise VibeCheckError(f"{len(faces)} faces are fewer than one batch of {recipe.batch}.")
        self.model = build(recipe).to(device).to(memory_format=torch.channels_last)
        self.dropout = nn.Dropout(recipe.dropout)
        keep = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=keep, use_buffers=True)
        # Biases and the scales of normalisation are not drawn to zero.
        flat = [p for p in self.model.parameters() if p.ndim < 2]
        rest = [p for p in self.model.parameters() if p.ndim >= 2]
        groups = [{"params": rest, "weight_decay": recipe.decay}, {"params": flat, "weight_decay": 0.0}]
        self.optimiser = torch.optim.SGD(groups, lr=recipe.rate, momentum=0.9, nesterov=True)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, recipe.rate, recipe.epochs * self.steps, pct_start=0.1, cycle_momentum=False
        )
        self._parts = (self.model, self.average, self.optimiser, self.schedule)  # what a checkpoint holds

    def epoch(self, number: int) -> float:
        """One pass; returns the mean loss. Its randomness depends on its number alone."""
        torch.manual_seed(self.recipe.seed * 1000 + number)  # dropout's
        dice = torch.Generator().manual_seed(self.recipe.seed * 1000 + number)
        here = dice if self.device.type == "cpu" else torch.Generator(self.device).manual_seed(number)
        self.model.train()
        losses = []
        drawn = torch.multinomial(self.weights, self.steps * self.recipe.batch, True, generator=dice)
        for batch in drawn.view(self.steps, self.recipe.batch):
            pictures = augment(self.pictures[batch].to(self.device), here)
            with _half(self.device):
                logits = self._logits(self.model, pictures)
                loss = F.cross_entropy(logits.float(), self.goal[batch].to(self.device))
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimiser.step()
            self.schedule.step()
            self.average.update_parameters(self.model)
            losses.append(loss.item())
        return float(np.mean(losses))

    def _logits(self, model: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
        features = model.resnet(_normal(pictures)).pooler_output.flatten(1)
        return model.classifier[1](self.dropout(features))

    def answers(self, faces: Faces) -> np.ndarray:
        """N x 7 probabilities of the averaged model."""
        logits = logits_of(self.average.module, faces, self.recipe.side)
        return logits.softmax(1).numpy()

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


def finish(model: nn.Module, recipe: Recipe, prior: np.ndarray, valid: Faces, out: Path) -> dict:
    """Write the model folder: weights, ONNX, and a manifest whose corrections are chosen on `valid`.

    The temperature has the highest likelihood of the votes; the strength of the correction for the
    class prior the highest mean of accuracy by votes and balanced accuracy by FER2013's label.
    """
    model = model.half()
    model.save_pretrained(out)
    ViTImageProcessor(
        size={"height": recipe.side, "width": recipe.side}, image_mean=[MEAN] * 3, image_std=[STD] * 3
    ).save_pretrained(out)
    logits = logits_of(model.float(), valid, recipe.side).double().numpy()
    clear = valid.truth >= 0
    temperature = minimize_scalar(
        lambda t: -(np.log(_corrected(logits / t, prior, 0.0)[clear]) * valid.shares[clear]).sum(1).mean(),
        bounds=(0.3, 3.0),
        method="bounded",
    ).x
    scores = {s: _score(_corrected(logits / temperature, prior, s), valid) for s in np.linspace(0, 1, 11)}
    strength = max(scores, key=scores.get)
    manifest = Manifest(
        version=out.name,
        origin="trained on FER+ by python -m finetune pretrain",
        grey=True,
        crop_scale=CROP_SCALE,
        temperature=round(float(temperature), 4),
        class_prior=tuple(round(float(share), 4) for share in prior),
        prior_strength=round(float(strength), 2),
    )
    manifest.write(out)
    worst = compile_folder(out, face_probes(50))
    return {"finished": str(out), "manifest": manifest.model_dump(), "onnx_differs_by": worst}


def logits_of(model: nn.Module, faces: Faces, side: int) -> torch.Tensor:
    """N x 7 logits of a model in full precision, without any correction."""
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        parts = [
            model(pixel_values=_normal(batch.to(device))).logits.float().cpu()
            for batch in _as_tensor(faces.pictures, side).split(256)
        ]
    return torch.cat(parts)


def _corrected(logits: np.ndarray, prior: np.ndarray, strength: float) -> np.ndarray:
    shifted = logits - strength * np.log(prior)
    shares = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _score(shares: np.ndarray, faces: Faces) -> float:
    clear = faces.truth >= 0
    by_votes = report(shares[clear], faces.truth[clear])["accuracy"]
    return (by_votes + report(shares, faces.label)["balanced_accuracy"]) / 2


def _as_tensor(pictures: np.ndarray, side: int) -> torch.Tensor:
    """N x 1 x side x side float, 0 to 1."""
    values = torch.from_numpy(pictures).unsqueeze(1).float() / 255
    return F.interpolate(values, size=(side, side), mode="bilinear", antialias=True).clamp(0, 1)


def _normal(pictures: torch.Tensor) -> torch.Tensor:
    """What the model's preprocessor makes of grey pictures: three equal channels about 0."""
    values = ((pictures - MEAN) / STD).expand(-1, 3, -1, -1)
    return values.contiguous(memory_format=torch.channels_last)


def _half(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16)


def as_line(event: dict) -> str:
    """An event as a line of JSON."""
    return json.dumps({key: round(v, 5) if isinstance(v, float) else v for key, v in event.items()})
