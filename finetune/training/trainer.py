"""Training with Hugging Face's Trainer in two stages: the head, then everything except the first blocks.

Training the head first keeps its initial errors from distorting the body (LP-FT: Kumar et al. 2022,
arXiv:2202.10054).
"""

import time
from collections.abc import Iterable
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
    TrainerState,
    TrainingArguments,
)
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, EvalPrediction

from finetune.metrics import scores
from finetune.progress import Tell
from finetune.training.student import Student, decay_groups, freeze_first, norms, train_head_only
from vibecheck.training_runs.recipe import HEAD, TrainingRecipe
from vibecheck.training_runs.run_folder import read_json

# The best weights of a finished stage, in its folder.
DONE = "done.pt"


def fit(
    student: Student,
    train: Dataset,
    valid: Dataset,
    recipe: TrainingRecipe,
    out: Path,
    device: str,
    tell: Tell,
) -> None:
    """Train `student`; afterwards it has the weights that were best on `valid`.

    Resumes from the checkpoints in `out`. Under `accelerate launch` all processes call it; `tell` gets
    steps and epochs in the main process only.
    """
    progress = _Progress(tell, recipe)
    # Convolutional networks tolerate a higher learning rate.
    usual = recipe.rate or (1e-4 if norms(student) else 3e-5)
    for stage, epochs in recipe.stages.items():
        if epochs == 0:
            continue
        if stage == HEAD:
            train_head_only(student.inner.model)
        else:
            freeze_first(student.inner.model, recipe.frozen)
        folder = out / stage
        if (folder / DONE).exists():
            weights = torch.load(folder / DONE, map_location="cpu", weights_only=True)
            student.load_state_dict(weights)
        else:
            progress.stage = stage
            rate = usual * (4 if stage == HEAD else 1)
            trainer = Trainer(
                model=student,
                args=_arguments(recipe, epochs, rate, folder, device),
                train_dataset=train,
                eval_dataset=valid,
                data_collator=collate,
                compute_metrics=_scores,
                optimizers=(torch.optim.AdamW(decay_groups(student, recipe.decay), lr=rate), None),
                callbacks=[EarlyStoppingCallback(recipe.patience), progress],
            )
            _finish_stage(trainer, folder)


def _finish_stage(trainer: Trainer, folder: Path) -> None:
    """Train from the last checkpoint to the end of the stage, and save the best weights as DONE."""
    trainer.remove_callback(PrinterCallback)  # `_Progress` reports instead
    trainer.train(resume_from_checkpoint=_checkpoint(folder))
    # load_best_model_at_end: the model now has the best checkpoint's weights.
    if trainer.is_world_process_zero():
        torch.save(trainer.model.state_dict(), folder / f"{DONE}.part")
        (folder / f"{DONE}.part").replace(folder / DONE)
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.free_memory()


def _checkpoint(folder: Path) -> str | None:
    """The last complete checkpoint: Trainer writes its state last."""
    there = folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*")
    whole = [path for path in there if read_json(path / TRAINER_STATE_NAME) is not None]
    last = max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return None if last is None else str(last)


def _arguments(
    recipe: TrainingRecipe, epochs: int, rate: float, folder: Path, device: str
) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=64,
        learning_rate=rate,
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


def bf16_helps(device: str) -> bool:
    """Whether bfloat16 is faster: on most accelerators, and on CPUs with instructions for it."""
    if device == "cpu":
        capability = torch.cpu.get_capabilities()
        return bool(capability.get("avx512_bf16") or capability.get("amx_bf16"))
    return device == "cuda" and torch.cuda.is_bf16_supported()


def collate(rows: Iterable[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Rows of a dataset (see `finetune.data.dataset`) as a batch."""
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
    found = scores(np.exp(answers), truth)
    nll = float(-answers[np.arange(len(truth)), truth].mean())
    return {"nll": nll, "accuracy": found.accuracy, "balanced_accuracy": found.balanced_accuracy}


class _Progress(TrainerCallback):
    """Reports progress: at most one step a second, and every epoch."""

    def __init__(self, tell: Tell, recipe: TrainingRecipe) -> None:
        self.stage = HEAD
        self._tell = tell
        self._parts = recipe.stages
        self._began, self._begun_at = time.monotonic(), 0.0
        self._last = 0.0
        self._loss: float | None = None

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        self._begun_at = self._share(state)  # that the checkpoint had, if there was one
        self._began = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero and time.monotonic() - self._last >= 1:
            self._last = time.monotonic()
            self._tell({"event": "step"} | self._where(state))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **kwargs: Any) -> None:
        self._loss = logs.get("loss", self._loss)

    def on_evaluate(
        self, args: Any, state: TrainerState, control: Any, metrics: dict[str, float], **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            found = {name: metrics[f"eval_{name}"] for name in ("nll", "accuracy", "balanced_accuracy")}
            minutes = (time.monotonic() - self._began) / 60
            self._tell({"event": "epoch"} | self._where(state) | {"minutes": minutes} | found)

    def _share(self, state: TrainerState) -> float:
        before = 0 if self.stage == HEAD else self._parts[HEAD]
        return (before + (state.epoch or 0.0)) / max(1, sum(self._parts.values()))

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
            "loss": self._loss,
            "minutes_left": left,
        }
