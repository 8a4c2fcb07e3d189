"""The embedded model on faces that it was not trained on: its model card states the measured figures."""

import re

import pytest

from finetune.embedded.evaluate import evaluate
from finetune.embedded.ferplus import read
from vibecheck.vision.classifier import EMBEDDED

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def figures(shared):
    faces = read(shared / "data" / "ferplus" / "test.parquet")
    return evaluate(EMBEDDED, faces, prior=0.0), evaluate(EMBEDDED, faces)


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
