"""Gets a network of convolutions used to another camera's pictures, before it learns from any label.

Batch normalisation takes off, and divides by, what a network saw on average in its first training. A darker
or blurrier camera differs in just that, from the first layer on, and it can be measured without labels
(AdaBN: Li et al. 2016, arXiv:1603.04779). How far to follow it is chosen by the labels, before they are
learned from.
"""

import copy
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from finetune.blend import careful, log_answers
from finetune.student import Student, norms
from finetune.train import collate

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
    losses = []
    for share in SHARES:
        _between(student, old, new, share)
        answers, truth = log_answers(student, rows)
        losses.append(-answers[np.arange(len(truth)), truth])
    best = SHARES[careful(np.stack(losses))]
    _between(student, old, new, best)
    return best


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
