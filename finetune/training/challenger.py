"""Trains a challenger, mixes old and new weights, and writes the model folder."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState

from finetune.metrics import temperature
from finetune.progress import Tell
from finetune.training import blend, plan
from finetune.training.adaptation import adapt_batch_norm, strength
from finetune.training.student import Student, class_weights
from finetune.training.trainer import fit
from vibecheck.emotions import NAMES
from vibecheck.export.torch_model import open_folder
from vibecheck.models.installed import Installed
from vibecheck.training_runs.recipe import TrainingRecipe
from vibecheck.vision.classifier import label_mapping

# The scores of each epoch that are kept with the version.
CURVES = ("loss", "accuracy", "balanced_accuracy")
PREPROCESSOR = "preprocessor_config.json"


@dataclass(frozen=True, slots=True)
class Learned:
    """A trained student, the ids of its training data, and facts for the registry."""

    student: Student
    ids: tuple[str, ...]
    about: dict[str, Any]


def train(
    out: Path, base: Installed, of: plan.RunPlan, device: str, tell: Tell, state: PartialState | None
) -> Learned | None:
    """Train by the plan in `out`; None in every process of `state` but the first."""
    recipe, manifest = TrainingRecipe(**of.asked["recipe"]), base.manifest
    first = state is None or state.is_main_process
    rows, valid = plan.open_data(out)
    if state is not None:
        state.wait_for_everyone()
    ids: list[str] = []
    if first:
        plan.discard_data(out)
        # The validation set chooses the model, so it cannot judge it either.
        ids = plan.note_trained_on(out, (*rows["prediction_id"], *valid["prediction_id"]))
    torch.manual_seed(recipe.seed)
    inner, _ = open_folder(base.folder, manifest)
    counts = np.bincount(rows["label"], minlength=len(NAMES))
    mapping = label_mapping(base.folder)
    weights = class_weights(counts, recipe.balance)
    student = Student(inner, mapping, manifest, weights, recipe.distill, recipe.altered)
    adapted = adapt_batch_norm(student, rows)
    corrected = manifest.prior_strength
    if manifest.class_prior:
        answers, truth = blend.log_answers(student, rows), np.asarray(rows["label"])
        corrected = round(strength(answers, truth, student.prior.numpy(), corrected), 2)
        student.set_prior_strength(corrected, of.asked["champion"] == base.version)
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
    mix, accuracy = blend.choose(student, old, valid, tell)
    answers, truth = blend.log_answers(student, valid), np.asarray(valid["label"])
    least = max(0.25, corrected)  # keeps the strength below 1
    factor = temperature(answers, truth, blend.PRIOR_LABELS, least)
    about: dict[str, Any] = {
        "version": of.version,
        "trained_on": len(rows),
        "validation": len(valid),
        "by_class": dict(zip(NAMES, counts.tolist(), strict=True)),
        "adapted": adapted,
        "mix": mix,
        "validation_accuracy": accuracy,
        **rescaled(manifest.temperature, corrected, factor),
        "epochs": curves,
    }
    return Learned(student, tuple(ids), about)


def rescaled(temperature: float, strength: float, factor: float) -> dict[str, float]:
    """The `temperature` and `prior_strength` of a manifest whose corrected logits are divided by `factor`.

    Both change, because the correction for the prior is applied after the temperature.
    """
    return {"temperature": round(factor * temperature, 4), "prior_strength": round(strength / factor, 4)}


def write(learned: Learned, base: Installed, folder: Path) -> None:
    """Write the model folder: weights in the base's dtype, and a manifest."""
    shutil.rmtree(folder, ignore_errors=True)
    model = learned.student.inner.model
    stored = getattr(torch, str(model.config.dtype).removeprefix("torch."), torch.float32)
    model.to(stored).save_pretrained(folder)
    shutil.copy(base.folder / PREPROCESSOR, folder)
    origin = f"fine-tuned here from {base.version} on {len(learned.ids)} labelled pictures"
    known = {name: learned.about[name] for name in ("version", "temperature", "prior_strength")}
    manifest = base.manifest.model_copy(update=known | {"origin": origin, "promised_accuracy": None})
    manifest.write(folder)
    (folder / "README.md").write_text(_card(learned.about, base), encoding="utf-8")


def _card(about: dict[str, Any], base: Installed) -> str:
    rows = "\n".join(f"| {mood} | {count} |" for mood, count in about["by_class"].items())
    return f"""# {about["version"]}

Fine-tuned by VibeCheck from {base.version} on labelled pictures of its own visitors.

| mood | pictures learned from |
|---|---|
{rows}

Batch-norm statistics were adapted by {about["adapted"]:.1f} (AdaBN) before training. A validation
set of {about["validation"]} pictures chose the epoch, the temperature ({about["temperature"]}) and
the mix of old and new weights ({about["mix"]:.1f}). The report of the run compares it with the
champion, on pictures of people that it never saw.
"""
