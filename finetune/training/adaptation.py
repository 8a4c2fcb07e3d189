"""Before it learns from any label: a model gets used to other pictures, and to another mix of moods.

The pictures: batch normalisation takes off, and divides by, what a network of convolutions saw on average in
its first training. A darker or blurrier camera differs in just that, from the first layer on, and it can be
measured without labels (AdaBN: Li et al. 2016, arXiv:1603.04779).

The mix: a model that ships does not know whom it will see, so it is corrected for an even mix of moods; the
labels say which mix there is.

How far to go in both is chosen by how likely the labels are. Some labels are wrong, and under those a model
that is sure of anything is unlikely: so a share of them is taken to say nothing (see `metrics.unlikely`).
"""

import copy
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from finetune.metrics import unlikely
from finetune.training.blend import HOLDS_BACK, careful, log_answers
from finetune.training.student import Student, norms
from finetune.training.trainer import collate

# How far the statistics may go from the old ones (0) to those of the pictures (1). Beyond half, more is lost
# on faces as they were than is won on the others.
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
# Fewer pictures say too little about a camera.
FEWEST = 50
BATCH = 128


def settle(student: Student, rows: Dataset) -> float:
    """Move the student's statistics towards those of the pictures in `rows`; returns how far (see SHARES).

    As near to the old ones as is no worse on the labels, by more than chance, than the best (`careful`).
    Nothing is done to a network without batch normalisation, nor with fewer than FEWEST pictures.
    """
    if not norms(student) or len(rows) < FEWEST:
        return 0.0
    old, new = copy.deepcopy(norms(student)), norms(_measured(student, rows))
    answers = []
    for share in SHARES:
        _between(student, old, new, share)
        answers.append(log_answers(student, rows)[0])
    best = SHARES[careful(unlikely(np.stack(answers), np.asarray(rows["label"])))]
    _between(student, old, new, best)
    return best


def strength(answers: np.ndarray, truth: np.ndarray, prior: np.ndarray, before: float) -> float:
    """How far the correction for the class prior is to be taken (0 to 1), so that the truth is most likely.

    `answers` are the logarithms of N x 7 probabilities corrected with the strength `before`, `prior` (7) the
    logarithms of the mix it was trained under. With few labels the answer stays near `before`.
    """
    logits = answers + before * prior

    def loss(tried: float) -> float:
        corrected = log_softmax(logits - tried * prior, axis=1)
        return unlikely(corrected[np.newaxis], truth).sum() + HOLDS_BACK * (tried - before) ** 2

    return float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").x)


def _measured(student: Student, rows: Dataset) -> Student:
    """A copy with the statistics of these pictures, each layer's behind layers that have theirs."""
    twin = copy.deepcopy(student).eval()
    for norm in norms(twin):
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches, each of which counts the same
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
