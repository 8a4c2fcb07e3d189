"""Evaluates a model folder on FER+ faces as it runs in the app: ONNX Runtime with calibration."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from finetune import metrics
from finetune.embedded.alterations import ALTERATIONS, scaled
from finetune.embedded.ferplus import Faces
from vibecheck.analytics.calibration_fit import calibration_error
from vibecheck.vision.classifier import Classifier
from vibecheck.vision.manifest import Manifest

THREADS = 2


def as_input(pictures: np.ndarray, side: int, alteration: str = "unaltered") -> np.ndarray:
    """Grey faces (N x S x S uint8) as model input (N x side x side x 3 uint8 RGB), after an alteration."""
    alter = ALTERATIONS[alteration]
    coloured = (alter(np.repeat(picture[..., np.newaxis], 3, axis=2)) for picture in pictures)
    return np.stack([scaled(picture, side) for picture in coloured])


def altered(folder: Path, faces: Faces) -> dict[str, dict[str, float]]:
    """`accuracy`, `balanced_accuracy` and `ece` under each of ALTERATIONS."""
    classifier = Classifier.load(folder, THREADS)
    clear = faces.take(faces.truth >= 0)
    rows = {}
    for name in ALTERATIONS:
        answers = classifier.probabilities(as_input(clear.pictures, classifier.side, name))
        measured = metrics.scores(answers, clear.truth)
        rows[name] = {each: getattr(measured, each) for each in ("accuracy", "balanced_accuracy", "ece")}
    return rows


def evaluate(folder: Path, faces: Faces) -> dict:
    """The `scores` of a model folder, and its version as `model`."""
    classifier = Classifier.load(folder, THREADS)
    probabilities = classifier.probabilities(as_input(faces.pictures, classifier.side))
    return scores(probabilities, faces, classifier.manifest) | {"model": classifier.version}


def scores(probabilities: np.ndarray, faces: Faces, manifest: Manifest) -> dict:
    """`metrics.scores` on the faces with a majority vote for one of the seven moods, and more.

    `probabilities` are the answers to all N faces, N x 7, corrected as `manifest` says. `per_class` gives
    recall and number by mood. Also returns `prior`, `agreed_accuracy` (see `Faces.agreed`),
    `fer2013_accuracy` and `fer2013_balanced_accuracy` on FER2013's labels of all faces, and `ece_reweighted`:
    the calibration error under the class distribution that the correction assumes.
    """
    clear = faces.truth >= 0
    found = metrics.scores(probabilities[clear], faces.truth[clear])
    agreed = metrics.scores(probabilities[faces.agreed], faces.truth[faces.agreed])
    by_label = metrics.scores(probabilities, faces.label)
    trained = np.asarray(manifest.class_prior or [1 / 7] * 7)
    meant_for = trained ** (1 - manifest.prior_strength)
    weights = metrics.prior_weights(faces.truth[clear], meant_for)
    recalls = {name: {"recall": k / n if n else 0.0, "n": n} for name, (k, n) in found.per_class.items()}
    return asdict(found) | {
        "per_class": recalls,
        "ece_reweighted": calibration_error(probabilities[clear], faces.truth[clear], weights),
        "agreed_accuracy": agreed.accuracy,
        "fer2013_accuracy": by_label.accuracy,
        "fer2013_balanced_accuracy": by_label.balanced_accuracy,
        "prior": manifest.prior_strength if manifest.class_prior else 0.0,
    }
