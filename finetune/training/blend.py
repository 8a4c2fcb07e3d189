"""After training: how much of what was learned to keep, and how sure to be of it.

Between the old weights and the new ones lie models that know what both know (WiSE-FT: Wortsman et al.
2022, arXiv:2109.01903). The mix, and then the temperature, are chosen on the validation part.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset

from finetune.metrics import unlikely
from finetune.training.student import Student
from finetune.training.trainer import collate

MIXES = tuple(round(0.1 * tenth, 1) for tenth in range(11))
# As a rule, what is won is won halfway, and beyond it more is forgotten (docs/fine-tuning.md). So the mix
# goes further only where that is better by so many standard errors: a model may have been wrong before
# nearly everywhere.
HALFWAY = MIXES.index(0.5)
FAR_BETTER = 3.0
# What was there before speaks as so many labels do: the temperature is held back so, and in `settling` the
# strength of the correction for the prior.
HOLDS_BACK = 20.0


@dataclass(frozen=True, slots=True)
class Blend:
    """A mix of the old weights (0) and the new ones (1), and how good it is on the validation part.

    `nll` is how unlikely its labels are, each mood counted as in training.
    """

    mix: float
    nll: float
    accuracy: float


State = Mapping[str, torch.Tensor]


def between(old: State, new: State, mix: float) -> dict[str, torch.Tensor]:
    """The weights that lie so far from the old ones to the new ones; whole numbers are the new ones'."""
    return {
        name: torch.lerp(old[name], value, mix) if value.is_floating_point() else value
        for name, value in new.items()
    }


def choose(
    student: Student, old: State, valid: Dataset, tell: Callable[[Blend], None] = lambda _: None
) -> Blend:
    """Mix the student's weights with the `old` ones, as is best on `valid` (see `chosen`)."""
    new = {name: value.clone() for name, value in student.state_dict().items()}
    truth = np.asarray(valid["label"])
    answers = []
    for mix in MIXES:
        student.load_state_dict(between(old, new, mix))
        answers.append(log_answers(student, valid)[0])
    weights = student.weights.cpu().numpy()[truth]
    losses = unlikely(np.stack(answers), truth) * weights / weights.mean()
    blends = [
        Blend(mix, float(loss.mean()), float((answer.argmax(1) == truth).mean()))
        for mix, loss, answer in zip(MIXES, losses, answers, strict=True)
    ]
    for each in blends:
        tell(each)
    best = blends[chosen(losses)]
    student.load_state_dict(between(old, new, best.mix))
    return best


def chosen(losses: np.ndarray) -> int:
    """Which of MIXES to take: the `careful` one, further than halfway only where that is far better.

    `losses` is mixes x N labels.
    """
    best = careful(losses)
    if best <= HALFWAY:
        return best
    worse = losses[HALFWAY] - losses[best]
    by_chance = worse.std(ddof=1) / np.sqrt(len(worse)) if len(worse) > 1 else np.inf
    return best if worse.mean() > FAR_BETTER * by_chance else careful(losses[: HALFWAY + 1])


def careful(losses: np.ndarray) -> int:
    """Which of several mixes to take, the old weights first: `losses` is mixes x N labels.

    The one with the lowest loss is often further from the old weights than it has to be, and forgets more
    than it gains. So it is the nearest one that is no worse by more than one standard error of the
    difference, and not less than half as far.
    """
    best = int(losses.mean(axis=1).argmin())
    for mix in range((best + 1) // 2, best):
        worse = losses[mix] - losses[best]
        if len(worse) > 1 and worse.mean() <= worse.std(ddof=1) / np.sqrt(len(worse)):
            return mix
    return best


def log_answers(student: Student, dataset: Dataset, batch: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """The logarithms of N x 7 probabilities, and the N labels."""
    student.eval()
    device = next(student.parameters()).device
    answers, truth = [], []
    with torch.inference_mode():
        for start in range(0, len(dataset), batch):
            some = collate(dataset.select(range(start, min(start + batch, len(dataset)))))
            answers.append(student.answers(some["pixels"].to(device)).double().cpu().numpy())
            truth.append(some["labels"].numpy())
    return np.concatenate(answers), np.concatenate(truth)
