"""After training: interpolation between old and new weights.

Interpolated models keep most of what either knows (WiSE-FT: Wortsman et al. 2022, arXiv:2109.01903).
The mix is chosen on the validation set.
"""

from collections.abc import Mapping

import numpy as np
import torch
from datasets import Dataset

from finetune.metrics import nll_with_noise
from finetune.progress import Tell
from finetune.training.student import Student
from finetune.training.trainer import collate

MIXES = tuple(round(0.1 * tenth, 1) for tenth in range(11))
# Most of the gain comes with the first half; beyond it the model mostly forgets (docs/fine-tuning.md). The
# mix goes further only if that is better by this many standard errors: the old model may have been wrong
# nearly everywhere.
HALFWAY = MIXES.index(0.5)
FAR_BETTER = 3.0
# Regularisation of the temperature and of the strength of the prior correction: the old value counts as
# much as this many labels.
PRIOR_LABELS = 20.0
BATCH = 64  # pictures that are read at once


State = Mapping[str, torch.Tensor]


def between(old: State, new: State, mix: float) -> dict[str, torch.Tensor]:
    """The interpolated weights; integer tensors are the new ones."""
    return {
        name: torch.lerp(old[name], value, mix) if value.is_floating_point() else value
        for name, value in new.items()
    }


def choose(student: Student, old: State, valid: Dataset, tell: Tell) -> tuple[float, float]:
    """Mix the student's weights with the `old` ones, by the loss on `valid` (see `choose_mix`).

    The loss is weighted by class as in training. `tell` gets the `blend` events. Returns the share of the new
    weights and the accuracy on `valid`.
    """
    new = {name: value.clone() for name, value in student.state_dict().items()}
    truth = np.asarray(valid["label"])
    answers = []
    for mix in MIXES:
        student.load_state_dict(between(old, new, mix))
        answers.append(log_answers(student, valid))
    weights = student.weights.cpu().numpy()[truth]
    losses = nll_with_noise(np.stack(answers), truth) * weights / weights.mean()
    accuracies = [float((answer.argmax(1) == truth).mean()) for answer in answers]
    for mix, accuracy in zip(MIXES, accuracies, strict=True):
        tell({"event": "blend", "mix": mix, "accuracy": accuracy, "chosen": False})
    best = choose_mix(losses)
    tell({"event": "blend", "mix": MIXES[best], "accuracy": accuracies[best], "chosen": True})
    student.load_state_dict(between(old, new, MIXES[best]))
    return MIXES[best], accuracies[best]


def choose_mix(losses: np.ndarray) -> int:
    """The index into MIXES by `smallest_step`, beyond halfway only where that is far better.

    `losses` is mixes x N labels.
    """
    best = smallest_step(losses)
    if best <= HALFWAY:
        return best
    worse = losses[HALFWAY] - losses[best]
    by_chance = worse.std(ddof=1) / np.sqrt(len(worse)) if len(worse) > 1 else np.inf
    return best if worse.mean() > FAR_BETTER * by_chance else smallest_step(losses[: HALFWAY + 1])


def smallest_step(losses: np.ndarray) -> int:
    """The index of the smallest step from the old weights that is good enough: `losses` is steps x N labels.

    The step with the lowest loss is often larger than necessary, and forgets more than it gains. So this is
    the smallest one within one standard error of it, and at least half of it.
    """
    best = int(losses.mean(axis=1).argmin())
    for mix in range((best + 1) // 2, best):
        worse = losses[mix] - losses[best]
        if len(worse) > 1 and worse.mean() <= worse.std(ddof=1) / np.sqrt(len(worse)):
            return mix
    return best


def log_answers(student: Student, dataset: Dataset) -> np.ndarray:
    """The student's log-probabilities (N x 7) for a data set."""
    student.eval()
    device = next(student.parameters()).device
    answers = []
    with torch.inference_mode():
        for start in range(0, len(dataset), BATCH):
            some = collate(dataset.select(range(start, min(start + BATCH, len(dataset)))))
            answers.append(student.answers(some["pixels"].to(device)).double().cpu().numpy())
    return np.concatenate(answers)
