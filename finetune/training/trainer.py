"""Training by Hugging Face's Trainer, in two stages: the head alone, then all but the first blocks.

A head that is still wrong pulls the body the wrong way, so it learns first (LP-FT: Kumar et al. 2022,
arXiv:2202.10054). Afterwards old and new weights are mixed (see `blend`).
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, EvalPrediction

from finetune.metrics import report
from finetune.training.student import Student, but_the_first, has_batch_norm, learning, only_head

Tell = Callable[[dict[str, Any]], None]
HEAD, ALL = "head", "all"
# A stage that ended leaves its best weights under this name in its folder.
DONE = "done.pt"


@dataclass(frozen=True)
class Recipe:
    """What decides how a model learns, beside the data.

    `head_epochs` and `epochs` are the most passes of the two stages; each ends early when the validation
    part got no better for `patience` passes. `frozen` is the share of the first blocks that stay as they
    are. `distill` is how much the champion's answer counts beside the label. `altered` is the share of each
    batch that is turned, lit, blurred …; `balance` how much more a rare mood counts (see
    `student.class_weights`). `rate` is the highest rate of learning, None for the one that suits the
    network. What the defaults were chosen by is in docs/fine-tuning.md.
    """

    head_epochs: int = 5
    epochs: int = 12
    patience: int = 5
    batch: int = 32
    rate: float | None = None
    frozen: float = 0.25
    distill: float = 0.3
    altered: float = 0.25
    balance: float = 0.5
    decay: float = 0.01
    seed: int = 0

    @property
    def stages(self) -> dict[str, int]:
        """The stages in order, and the most passes of each."""
        return {HEAD: self.head_epochs, ALL: self.epochs}


def fit(
    student: Student,
    train: Dataset,
    valid: Dataset,
    recipe: Recipe,
    out: Path,
    device: str,
    tell: Tell,
) -> None:
    """Train `student`; afterwards it has the weights that were best on `valid`.

    Checkpoints lie in `out`: called again after it was interrupted, it goes on from there. Under
    `accelerate launch` all processes call it. `tell` is told steps and epochs, in the main process only.
    """
    progress = _Progress(tell, recipe)
    for stage, epochs in recipe.stages.items():
        if epochs == 0:
            continue
        if stage == HEAD:
            only_head(student.inner.model)
        else:
            but_the_first(student.inner.model, recipe.frozen)
        folder = out / stage
        if not _done(student, folder):
            _stage(student, train, valid, recipe, stage, epochs, folder, device, progress)
        progress.finished(stage)


def _stage(
    student: Student,
    train: Dataset,
    valid: Dataset,
    recipe: Recipe,
    stage: str,
    epochs: int,
    folder: Path,
    device: str,
    progress: "_Progress",
) -> None:
    progress.stage = stage
    trainer = Trainer(
        model=student,
        args=_arguments(student, recipe, stage, epochs, folder, device),
        train_dataset=train,
        eval_dataset=valid,
        data_collator=collate,
        compute_metrics=_scores,
        optimizers=(_optimiser(student, recipe, stage), None),
        callbacks=[EarlyStoppingCallback(recipe.patience), progress],
    )
    trainer.remove_callback(PrinterCallback)  # what it prints is told by `progress`
    trainer.train(resume_from_checkpoint=_checkpoint(folder))
    # As Trainer keeps the best checkpoint's weights, they are the student's now.
    if trainer.is_world_process_zero():
        torch.save(student.state_dict(), folder / f"{DONE}.part")
        (folder / f"{DONE}.part").replace(folder / DONE)
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.free_memory()


def _checkpoint(folder: Path) -> str | None:
    """The last checkpoint that is whole: Trainer writes its state last."""
    there = [path for path in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*") if _is_whole(path)]
    last = max(there, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return None if last is None else str(last)


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _done(student: Student, folder: Path) -> bool:
    """Whether the stage ended before; its weights are the student's then."""
    path = folder / DONE
    if not path.exists():
        return False
    student.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return True


def _arguments(
    student: Student, recipe: Recipe, stage: str, epochs: int, folder: Path, device: str
) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=64,
        learning_rate=rate(student, recipe, stage),
        lr_scheduler_type="cosine",
        warmup_steps=0.1,  # a share of all steps, below 1
        max_grad_norm=1.0,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="loss",
        greater_is_better=False,
        logging_strategy="epoch",
        disable_tqdm=True,
        report_to="none",
        label_names=["labels"],
        remove_unused_columns=False,
        use_cpu=device == "cpu",
        bf16=bf16_helps(device),
        seed=recipe.seed,
        dataloader_pin_memory=device != "cpu",
        ddp_find_unused_parameters=False,
        log_level="error",
    )


def rate(student: Student, recipe: Recipe, stage: str) -> float:
    """The highest rate of learning of a stage."""
    convolutional = has_batch_norm(student.inner.model)
    whole = recipe.rate or (1e-4 if convolutional else 3e-5)
    return whole * (4 if stage == HEAD else 1)


def _optimiser(student: Student, recipe: Recipe, stage: str) -> torch.optim.Optimizer:
    """AdamW; biases and the scales of normalisation are not drawn to zero."""
    flat = [p for p in learning(student) if p.ndim < 2]
    rest = [p for p in learning(student) if p.ndim >= 2]
    groups = [{"params": rest, "weight_decay": recipe.decay}, {"params": flat, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=rate(student, recipe, stage))


def bf16_helps(device: str) -> bool:
    """Whether half of the bits are faster here: on most accelerators, and on processors made for it."""
    if device == "cpu":
        capability = torch.cpu.get_capabilities()
        return bool(capability.get("avx512_bf16") or capability.get("amx_bf16"))
    return device == "cuda" and torch.cuda.is_bf16_supported()


def collate(rows: Iterable[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Rows of a dataset (see `dataset`) as one batch for the student."""
    rows = list(rows)
    side = round((len(rows[0]["pixels"]) / 3) ** 0.5)
    pixels = np.frombuffer(b"".join(row["pixels"] for row in rows), np.uint8)
    return {
        "pixels": torch.from_numpy(pixels.reshape(len(rows), side, side, 3).copy()),
        "labels": torch.tensor([row["label"] for row in rows]),
        "teacher": torch.tensor([row["teacher"] for row in rows]),
    }


def _scores(seen: EvalPrediction) -> dict[str, float]:
    answers, truth = np.asarray(seen.predictions), np.asarray(seen.label_ids)
    scores = report(np.exp(answers), truth)
    nll = -answers[np.arange(len(truth)), truth].mean()
    return {
        "nll": float(nll),
        "accuracy": scores["accuracy"],
        "balanced_accuracy": scores["balanced_accuracy"],
    }


class _Progress(TrainerCallback):
    """Tells how far a run is: at most one step a second, and every epoch."""

    def __init__(self, tell: Tell, recipe: Recipe) -> None:
        self.stage = HEAD
        self._tell = tell
        self._parts = recipe.stages
        self._before = 0.0  # epochs of stages that ended
        self._began, self._begun_at = time.monotonic(), 0.0
        self._last = 0.0
        self._loss: float | None = None

    def finished(self, stage: str) -> None:
        """The stage is over, however many of its epochs it took."""
        self._before += self._parts[stage]

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._begun_at = self._share(state)  # that a checkpoint had, where there was one
        self._began = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero and time.monotonic() - self._last >= 1:
            self._last = time.monotonic()
            self._tell({"event": "step"} | self._where(state) | {"loss": self._loss})

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **kwargs: Any,
    ) -> None:
        self._loss = logs.get("loss", self._loss)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: Any,
    ) -> None:
        if state.is_world_process_zero:
            scores = {name: metrics[f"eval_{name}"] for name in ("nll", "accuracy", "balanced_accuracy")}
            minutes = (time.monotonic() - self._began) / 60
            self._tell(
                {"event": "epoch"} | self._where(state) | {"loss": self._loss, "minutes": minutes} | scores
            )

    def _share(self, state: TrainerState) -> float:
        return (self._before + (state.epoch or 0.0)) / max(1, sum(self._parts.values()))

    def _where(self, state: TrainerState) -> dict[str, Any]:
        done = min(1.0, self._share(state))
        new = done - self._begun_at
        elapsed = (time.monotonic() - self._began) / 60
        left = elapsed / new * (1 - done) if new > 0 else None
        return {
            "stage": self.stage,
            "epoch": round(state.epoch or 0.0, 2),
            "of": self._parts[self.stage],
            "done": done,
            "minutes_left": left,
        }
