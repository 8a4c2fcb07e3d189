"""Trains the embedded model from scratch on FER+, so that it can be made again by anybody.

FER+ has two opinions on each face: the votes of ten people, and the label of FER2013's collectors, who
saw far more fear and disgust. The network learns both, with a head for each. When it is finished the two
heads are folded into one, by a mix that is chosen on the validation part: the mean of two layers' weights
answers with the (normalised) geometric mean of their probabilities. An average of the weights over the run
(EMA) is what is kept. A run that was interrupted goes on from its checkpoint. A run may have an earlier
one as its teacher: it begins with the teacher's weights and learns in part what the teacher answers, which
is softer and less noisy than labels (born-again networks, Furlanello et al. 2018, arXiv:1805.04770).
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
from scipy.special import log_softmax, softmax
from torch import nn
from transformers import PreTrainedModel, ViTImageProcessor

from finetune.architectures import ARCHITECTURES, build, head
from finetune.augment import augment, mixed
from finetune.ferplus import Faces
from finetune.metrics import report
from vibecheck.classifier import without_prior
from vibecheck.compiler import compile_folder
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError
from vibecheck.manifest import Manifest
from vibecheck.probes import face_probes

MEAN, STD = 0.5, 0.25
CHECKPOINT = "checkpoint.pt"
CROP_SCALE = 0.85
# Names of the outputs while two heads are trained: first the votes', then the label's.
OUTPUTS = [f"{head} {name}" for head in ("votes", "label") for name in NAMES]


@dataclass(frozen=True)
class Recipe:
    """What decides the outcome of a run, beside the data.

    The first `small_share` of the epochs see pictures of `small_side` px, the rest `side`, which is what
    the model takes. The loss of FER2013's label counts `label_weight`, that of the votes 1. Faces are
    drawn in proportion to the frequency of their expression to the power of -`balance`. `mixup` is the
    alpha of the mixing of pairs (Zhang et al. 2018), `average` the decay of the weights' mean. In the last
    `calm_share` of the epochs nothing is mixed and half of the faces are no more than mirrored, so that
    the model ends on faces as they are (as Ge et al. 2021, arXiv:2107.08430, end without mosaics). The
    learning rate rises over the first tenth of the run to `rate` times what suits the architecture, then
    falls. `teacher_share` is the share of a teacher's answer in what is learned, if there is a teacher.
    """

    architecture: str = "resnet"
    epochs: int = 60
    side: int = 80
    small_side: int = 64
    small_share: float = 0.6
    batch: int = 128
    label_weight: float = 0.5
    balance: float = 0.25
    mixup: float = 0.2
    calm_share: float = 0.25
    average: float = 0.998
    rate: float = 1.0
    teacher_share: float = 0.5
    seed: int = 0


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
    teacher: Path | None = None,
) -> bool:
    """Train, and write the finished model folder into `out`; returns whether it is finished.

    `teacher` is the folder of an earlier, finished run of the same architecture.

    Stops after an epoch that ends later than `minutes` after the start: call it again with the same
    recipe to go on. `tell` gets a dict after each epoch, and one at the end. The same recipe, data,
    machine and number of threads give the same model. Raises VibeCheckError if `out` holds a
    checkpoint of another recipe, or `teacher` none of this architecture.
    """
    began = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(recipe.seed)
    train = train.take(usable(train))
    goals = opinions(train)
    weights = _draw_weights(goals.mean(axis=1), recipe.balance)
    run = _Run(recipe, train, goals, weights, device)
    if teacher is not None:
        run.follow(teacher / CHECKPOINT)
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
    priors = np.einsum("n,nhm->hm", weights / weights.sum(), goals)
    tell(finish(run.average.module, recipe, priors, valid, out))
    return True


def opinions(faces: Faces) -> np.ndarray:
    """N x 2 x 7: what the two heads are to answer for each face, the votes and FER2013's label."""
    return np.stack([faces.shares, np.eye(len(NAMES))[faces.label]], axis=1)


def _draw_weights(goal: np.ndarray, balance: float) -> np.ndarray:
    """How often each face is drawn: the rarer its expression, the more often."""
    mix = np.maximum(goal.mean(axis=0), 1e-3)
    return goal @ (mix**-balance)


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
        mixup, share = (0.0, 0.5) if calm else (recipe.mixup, 1.0)
        seed = recipe.seed * 1000 + number
        torch.manual_seed(seed)  # that of layers which drop something
        dice = torch.Generator().manual_seed(seed)
        here = dice if self.device.type == "cpu" else torch.Generator(self.device).manual_seed(seed)
        self.model.train()
        losses = []
        drawn = torch.multinomial(self.weights, self.steps * recipe.batch, True, generator=dice)
        for batch in drawn.view(self.steps, recipe.batch):
            pictures = augment(_scaled(self.faces[batch].to(self.device), side), here, share)
            pictures, goals = mixed(pictures, self.goals[batch].to(self.device), mixup, here)
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                logits = self.model(pixel_values=_normal(pictures)).logits
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

    def follow(self, checkpoint: Path) -> None:
        """Begin with the weights of a teacher, and learn in part what it answers.

        It is asked for each face and for its mirror image.
        """
        if not checkpoint.exists():
            raise VibeCheckError(f"{checkpoint} is not there: a teacher is the --out of a finished run.")
        state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        if state["recipe"]["architecture"] != self.recipe.architecture:
            raise VibeCheckError(f"{checkpoint} is not of the architecture {self.recipe.architecture}.")
        prefix = "module."  # under which the average keeps its model
        weights = {name.removeprefix(prefix): part for name, part in state["parts"][1].items()}
        del weights["n_averaged"]
        self.model.load_state_dict(weights)
        self.average.module.load_state_dict(weights)
        answers = [
            logits_of(self.model, pictures, self.recipe.side).view(len(pictures), -1, len(NAMES)).softmax(2)
            for pictures in (self.faces, self.faces.flip(3))
        ]
        self.goals = torch.lerp(self.goals, sum(answers) / 2, self.recipe.teacher_share)

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


def finish(model: PreTrainedModel, recipe: Recipe, priors: np.ndarray, valid: Faces, out: Path) -> dict:
    """Write the model folder: weights, ONNX, and a manifest whose corrections are chosen on `valid`.

    `priors` is 2 x 7: the mix of moods that each head was trained under. The mix of the heads and the
    strength of the correction for the class prior are those with the highest mean of accuracy by votes
    and balanced accuracy by FER2013's label; under the temperature the mood with most votes is most likely.
    """
    clear = valid.truth >= 0
    both = logits_of(model, pictures_of(valid), recipe.side).double().numpy()
    best = (-1.0, 0.0, 0.0, 1.0)
    for share in np.linspace(0, 1, 11):
        logits = (1 - share) * both[:, : len(NAMES)] + share * both[:, len(NAMES) :]
        prior = _between(priors, share)
        temperature = _temperature(logits[clear], valid.truth[clear])
        answers = softmax(logits / temperature, axis=1)
        for strength in np.linspace(0, 1, 11):
            score = _score(without_prior(answers, prior, strength), valid)
            best = max(best, (score, float(share), float(strength), temperature))
    _, share, strength, temperature = best
    folded = fold(model, recipe, share).half()
    folded.save_pretrained(out)
    ViTImageProcessor(
        size={"height": recipe.side, "width": recipe.side}, image_mean=[MEAN] * 3, image_std=[STD] * 3
    ).save_pretrained(out)
    prior = _between(priors, share)
    manifest = Manifest(
        version=out.name,
        origin="trained on FER+ by python -m finetune pretrain",
        grey=True,
        crop_scale=CROP_SCALE,
        temperature=round(temperature, 4),
        class_prior=tuple(round(float(part), 4) for part in prior),
        prior_strength=round(strength, 2),
    )
    manifest.write(out)
    worst = compile_folder(out, face_probes(50))
    return {
        "finished": str(out),
        "label_share": round(share, 2),
        "manifest": manifest.model_dump(),
        "onnx_differs_by": worst,
    }


def fold(model: PreTrainedModel, recipe: Recipe, share: float) -> PreTrainedModel:
    """The model with one head: (1 - share) of the votes', `share` of the label's."""
    one = build(recipe.architecture, recipe.side, list(NAMES))
    state = model.state_dict()
    ours, theirs = head(one), head(model)
    (name,) = (name for name, module in model.named_modules() if module is theirs)
    for part in ("weight", "bias"):
        votes, label = state[f"{name}.{part}"].split(len(NAMES))
        state[f"{name}.{part}"] = (1 - share) * votes + share * label
    assert ours.out_features == len(NAMES)
    one.load_state_dict(state)
    return one


def _between(priors: np.ndarray, share: float) -> np.ndarray:
    """The prior of folded heads: as their answers, the geometric mean, normalised."""
    prior = priors[0] ** (1 - share) * priors[1] ** share
    return prior / prior.sum()


def _temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The divisor of the logits (N x 7) under which the truth (N indices) is most likely (Guo et al. 2017).

    Under the one for which the votes are most likely, the model is right more often than it says.
    """
    answer = minimize_scalar(
        lambda t: -log_softmax(logits / t, axis=1)[np.arange(len(truth)), truth].mean(),
        bounds=(0.3, 3.0),
        method="bounded",
    )
    return float(answer.x)


def logits_of(model: nn.Module, pictures: torch.Tensor, side: int) -> torch.Tensor:
    """Logits (N x outputs) of a model for grey faces (N x 1 x S x S uint8), without any correction."""
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        parts = [
            model(pixel_values=_normal(_scaled(batch.to(device), side))).logits.float().cpu()
            for batch in pictures.split(256)
        ]
    return torch.cat(parts)


def _score(shares: np.ndarray, faces: Faces) -> float:
    clear = faces.truth >= 0
    by_votes = report(shares[clear], faces.truth[clear])["accuracy"]
    return (by_votes + report(shares, faces.label)["balanced_accuracy"]) / 2


def pictures_of(faces: Faces) -> torch.Tensor:
    """The faces' pictures, N x 1 x S x S uint8."""
    return torch.from_numpy(faces.pictures).unsqueeze(1)


def _scaled(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """Grey uint8 pictures as N x 1 x side x side float, 0 to 1."""
    values = pictures.float() / 255
    return F.interpolate(values, size=(side, side), mode="bilinear", antialias=True).clamp(0, 1)


def _normal(pictures: torch.Tensor) -> torch.Tensor:
    """What the model's preprocessor makes of grey pictures: three equal channels about 0."""
    values = ((pictures - MEAN) / STD).expand(-1, 3, -1, -1)
    return values.contiguous(memory_format=torch.channels_last)


def as_line(event: dict) -> str:
    """An event as a line of JSON."""
    return json.dumps({key: round(v, 5) if isinstance(v, float) else v for key, v in event.items()})
