"""Before training: label-free adaptation to the pictures (AdaBN), then re-estimation of the class prior.

Batch normalisation standardises activations with the statistics of the pretraining data. Another camera
(darker, blurrier) shifts these from the first layer on; its statistics can be measured without labels
(AdaBN: Li et al. 2016, arXiv:1603.04779).

A model that ships is corrected for a uniform class prior; the labels show the real one.

How far to go in both is chosen by the likelihood of the labels, under a model of label noise (see
`metrics.nll_with_noise`).
"""

import copy
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from finetune.metrics import nll_with_noise
from finetune.training.blend import PRIOR_LABELS, log_answers, smallest_step
from finetune.training.student import Student, norms
from finetune.training.trainer import collate

# Interpolation from the old statistics (0) to the measured ones (1). Beyond half, accuracy on the original
# kind of faces drops by more than is gained on the new kind.
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
# With fewer pictures the statistics are too noisy.
FEWEST = 50
BATCH = 128


def adapt_batch_norm(student: Student, rows: Dataset) -> float:
    """Move the batch-norm statistics towards those of the pictures in `rows`; returns how far (see SHARES).

    The smallest step whose likelihood is within one standard error of the best (`smallest_step`). Does
    nothing to a network without batch normalisation, or with fewer than FEWEST pictures.
    """
    if not norms(student) or len(rows) < FEWEST:
        return 0.0
    old, new = copy.deepcopy(norms(student)), norms(_measured(student, rows))
    answers = []
    for share in SHARES:
        _between(student, old, new, share)
        answers.append(log_answers(student, rows))
    best = SHARES[smallest_step(nll_with_noise(np.stack(answers), np.asarray(rows["label"])))]
    _between(student, old, new, best)
    return best


def strength(answers: np.ndarray, truth: np.ndarray, prior: np.ndarray, before: float) -> float:
    """The strength (0 to 1) of the class-prior correction that maximises the likelihood of the labels.

    `answers` (N x 7) are log-probabilities corrected with strength `before`; `prior` (7) is the logarithm of
    the class prior of pretraining. With few labels the result stays near `before`.
    """
    logits = answers + before * prior

    def loss(tried: float) -> float:
        corrected = log_softmax(logits - tried * prior, axis=1)
        return nll_with_noise(corrected[np.newaxis], truth).sum() + PRIOR_LABELS * (tried - before) ** 2

    return float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").x)


def _measured(student: Student, rows: Dataset) -> Student:
    """A copy with the statistics of these pictures; each layer is measured behind adapted layers."""
    twin = copy.deepcopy(student).eval()
    for norm in norms(twin):
        norm.reset_running_stats()
        norm.momentum = None  # cumulative mean over batches
        norm.training = True
    parts = np.array_split(np.arange(len(rows)), -(-len(rows) // BATCH))
    with torch.no_grad():
        for part in parts:
            twin.inner(collate(rows.select(part))["pixels"])
    return twin


def _between(student: Student, old: list[Any], new: list[Any], share: float) -> None:
    for norm, before, after in zip(norms(student), old, new, strict=True):
        for name in ("running_mean", "running_var"):
            getattr(norm, name).copy_(torch.lerp(getattr(before, name), getattr(after, name), share))
