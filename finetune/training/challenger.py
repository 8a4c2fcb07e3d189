"""Trains a student, mixes it with what it was, and writes it as a model folder."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from finetune.metrics import temperature
from finetune.training import blend, plan
from finetune.training.adaptation import settle, strength
from finetune.training.base_model import Model
from finetune.training.student import Student, class_weights
from finetune.training.trainer import Recipe, Tell, fit
from vibecheck.emotions import NAMES, map_labels
from vibecheck.export.torch_model import open_folder
from vibecheck.vision.classifier import labels_of

# Of each epoch, what is kept with the version.
CURVES = ("loss", "accuracy", "balanced_accuracy")
# What describes a model's input, copied as it is.
PREPROCESSOR = "preprocessor_config.json"


@dataclass(frozen=True, slots=True)
class Learned:
    """A student that has learned: its temperature, the predictions it knows, and what is told of it."""

    student: Student
    temperature: float
    ids: tuple[str, ...]
    about: dict[str, Any]


def train(
    out: Path,
    base: Model,
    of: plan.Plan,
    recipe: Recipe,
    kept: frozenset[str],
    device: str,
    tell: Tell,
    first: bool,
) -> Learned | None:
    """Train by the plan in `out`; None in every process but the `first`."""
    rows, valid = plan.data(out, kept)
    torch.manual_seed(recipe.seed)
    inner, _ = open_folder(base.folder, base.manifest)
    counts = np.bincount(rows["label"], minlength=len(NAMES))
    mapping = map_labels(labels_of(base.folder))
    weights = class_weights(counts, recipe.balance)
    student = Student(inner, mapping, base.manifest, weights, recipe.distill, recipe.altered)
    settled = settle(student, rows)
    corrected = base.manifest.prior_strength
    if base.manifest.class_prior:
        answers, truth = blend.log_answers(student, rows)
        corrected = round(strength(answers, truth, student.prior.numpy(), corrected), 2)
        student.meet(corrected, of.asked["champion"] == base.version)
    old = {name: value.clone() for name, value in student.state_dict().items()}
    curves: list[dict[str, float]] = []

    def noting(event: dict[str, Any]) -> None:
        if event["event"] == "epoch":
            scores = {name: event[name] for name in CURVES if event[name] is not None}
            curves.append({"epoch": len(curves) + 1} | scores)
        tell(event)

    fit(student, rows, valid, recipe, out / plan.CHECKPOINTS, device, noting)
    if not first:
        return None
    student.to("cpu")
    best = blend.choose(student, old, valid, lambda each: _tell_blend(tell, each, chosen=False))
    _tell_blend(tell, best, chosen=True)
    answers, truth = blend.log_answers(student, valid)
    least = max(0.25, corrected)  # no strength may exceed 1
    factor = temperature(answers, truth, blend.HOLDS_BACK, least)
    about: dict[str, Any] = {
        "version": of.version,
        "trained_on": len(rows),
        "validation": len(valid),
        "by_class": dict(zip(NAMES, counts.tolist(), strict=True)),
        "settled": settled,
        "mix": best.mix,
        "validation_accuracy": best.accuracy,
        **cooled(base.manifest.temperature, corrected, factor),
        "epochs": curves,
    }
    # Those of the validation part chose the model, so they cannot judge it either.
    ids = (*rows["prediction_id"], *valid["prediction_id"])
    return Learned(student, about["temperature"], ids, about)


def cooled(temperature: float, strength: float, factor: float) -> dict[str, float]:
    """The `temperature` and `prior_strength` of a manifest under which answers are divided by `factor`.

    What is divided is corrected for the prior already, and the correction comes behind the temperature: so
    both change.
    """
    return {"temperature": round(factor * temperature, 4), "prior_strength": round(strength / factor, 4)}


def _tell_blend(tell: Tell, each: blend.Blend, chosen: bool) -> None:
    tell({"event": "blend", "mix": each.mix, "accuracy": each.accuracy, "chosen": chosen})


def write(learned: Learned, base: Model, version: str, folder: Path) -> None:
    """Write the model folder: weights as precise as the base's, and a manifest."""
    shutil.rmtree(folder, ignore_errors=True)
    model = learned.student.inner.model
    stored = getattr(torch, str(model.config.dtype).removeprefix("torch."), torch.float32)
    model.to(stored).save_pretrained(folder)
    shutil.copy(base.folder / PREPROCESSOR, folder)
    count = len(learned.ids)
    manifest = base.manifest.model_copy(
        update={
            "version": version,
            "origin": f"fine-tuned here from {base.version} on {count} labelled pictures"[:300],
            "temperature": learned.temperature,
            "prior_strength": learned.about["prior_strength"],
            "promised_accuracy": None,
        }
    )
    manifest.write(folder)
    (folder / "README.md").write_text(_card(learned, base, version), encoding="utf-8")


def _card(learned: Learned, base: Model, version: str) -> str:
    rows = "\n".join(f"| {mood} | {count} |" for mood, count in learned.about["by_class"].items())
    return f"""# {version}

Fine-tuned by VibeCheck from {base.version} on labelled pictures of its own visitors.

| mood | pictures learned from |
|---|---|
{rows}

Before it learned, what it takes for usual in a picture moved {learned.about["settled"]:.1f} of the
way to what is usual in these. {learned.about["validation"]} more chose when to stop, how much of what
was learned to keep ({learned.about["mix"]:.1f} of 1) and how sure to be (temperature {learned.temperature}).
Whether it is better than the model before is said by the report of the run, on pictures of people that it
never saw.
"""
