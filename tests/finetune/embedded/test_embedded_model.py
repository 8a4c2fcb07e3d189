"""The embedded model on faces that it was not trained on: its model card states the measured figures."""

import re

import numpy as np
import pytest

from finetune.embedded.evaluate import THREADS, as_input, scores
from finetune.embedded.ferplus import read
from vibecheck.vision.classifier import EMBEDDED, Classifier, without_prior

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def figures(shared):
    """The scores without the class-prior correction, and as shipped; each face is answered once."""
    faces = read(shared / "data" / "ferplus" / "test.parquet")
    classifier = Classifier.load(EMBEDDED, THREADS)
    shipped = classifier.manifest
    pictures = as_input(faces.pictures, classifier.side)
    as_it_runs = classifier.probabilities(pictures[:100])
    plain = classifier.manifest = shipped.model_copy(update={"prior_strength": 0.0})
    answers = classifier.probabilities(pictures)
    corrected = without_prior(answers, np.asarray(shipped.class_prior), shipped.prior_strength)
    assert corrected[:100] == pytest.approx(as_it_runs, abs=1e-6)
    return scores(answers, faces, plain), scores(corrected, faces, shipped)


@pytest.mark.slow
def test_embedded_model_reaches_the_accuracy_it_was_chosen_for(figures):
    plain, shipped = figures
    assert plain["accuracy"] > 0.83 and plain["ece"] < 0.03
    assert shipped["balanced_accuracy"] > 0.78 and shipped["ece_reweighted"] < 0.035


@pytest.mark.slow
def test_model_card_states_the_measured_figures(figures):
    card = (EMBEDDED / "README.md").read_text(encoding="utf-8")
    rows = {
        "accuracy": "accuracy",
        "accuracy where most people agree": "agreed_accuracy",
        "mean recall of the seven": "balanced_accuracy",
        "expected calibration error (15 bins)": "ece",
        "the same, reweighted to the corrected class distribution": "ece_reweighted",
        "accuracy by FER2013's own labels": "fer2013_accuracy",
        "mean recall by FER2013's own labels": "fer2013_balanced_accuracy",
    }
    for title, name in rows.items():
        said = re.search(rf"^\| {re.escape(title)} \| (\S+) \| (\S+) \|$", card, re.M)
        assert said, title
        for text, measured in zip(said.groups(), figures, strict=True):
            assert float(text) == pytest.approx(measured[name], abs=0.0025), title
