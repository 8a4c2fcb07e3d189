"""After training: how much of what was learned to keep, and how sure to be of it.

Between the old weights and the new ones lie models that know what both know (WiSE-FT: Wortsman et al.
2022, arXiv:2109.01903). The mix, and then the temperature, are chosen on the validation part.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from finetune.student import Student
from finetune.train import collate

MIXES = tuple(round(0.1 * tenth, 1) for tenth in range(11))
# A temperature is doubled or halved only if so many pictures say so: it is held back as by this many.
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
    """Mix the student's weights with the `old` ones so that the labels of `valid` are most likely."""
    new = {name: value.clone() for name, value in student.state_dict().items()}
    blends = []
    for mix in MIXES:
        student.load_state_dict(between(old, new, mix))
        answers, truth = log_answers(student, valid)
        right = float((answers.argmax(1) == truth).mean())
        blends.append(Blend(mix, _nll(answers, truth, student.weights.cpu().numpy()), right))
        tell(blends[-1])
    best = min(blends, key=lambda blend: blend.nll)
    student.load_state_dict(between(old, new, best.mix))
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


def temperature(answers: np.ndarray, truth: np.ndarray, shift: np.ndarray) -> float:
    """By what to divide the logits further, so that the truth is most likely (Guo et al. 2017).

    `answers` are the logarithms of N x 7 corrected probabilities, `shift` (7) the correction in them,
    which stays as it is. With few labels the answer stays near 1.
    """
    logits = answers + shift

    def loss(log_t: float) -> float:
        corrected = log_softmax(logits / np.exp(log_t) - shift, axis=1)
        return _nll(corrected, truth) * len(truth) + HOLDS_BACK * log_t**2

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.25), np.log(4)), method="bounded").x))


def _nll(answers: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None) -> float:
    """How unlikely the truth is by the answers; `weights` (7) say what each mood counts for."""
    each = None if weights is None else weights[truth]
    return float(np.average(-answers[np.arange(len(truth)), truth], weights=each))
