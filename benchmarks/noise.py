"""Whether a challenger trained on random labels is ever promoted.

Real faces (scikit-image's, in other light and other crops) and the model that ships; their labels are random.
Of each run's faces 70% train a challenger: a last layer on the champion's answers, fitted to the noise. The
rest judge the two by the rule of `vibecheck.evaluation.compare`. The whole network is not trained, which
would take long: it could fit the noise of its own faces better, but not that of the rest.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

from vibecheck.emotions import NAMES
from vibecheck.evaluation.compare import compare, judge
from vibecheck.evaluation.evidence import FIRST
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.sample_faces import face_crops

TRAINS = 0.7


def run(runs: int = 20, faces: int = 600, seed: int = 0) -> list[dict]:
    """One row: how many runs promoted the challenger, and how many would have under weaker rules."""
    champion = Classifier.load(EMBEDDED, 2)
    probabilities = champion.probabilities(face_crops(champion.manifest, champion.side, faces))
    said, inputs = probabilities.argmax(axis=1), np.log(probabilities + 1e-6)
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)  # so that the fit ends soon
    rng = np.random.default_rng(seed)
    promoted = lucky = higher = 0
    for _ in range(runs):
        labels = rng.integers(0, len(NAMES), faces)
        trains = rng.random(faces) < TRAINS
        challenger = LogisticRegression(max_iter=2000).fit(inputs[trains], labels[trains])
        answers = challenger.predict(inputs[~trains])
        seen = compare(said[~trains], answers, labels[~trains])
        promoted += judge(seen).proved
        lucky += seen.evidence >= FIRST
        higher += seen.challenger > seen.champion
    return [
        {
            "runs": runs,
            "promoted": promoted,
            "promoted if evidence sufficed": lucky,
            "promoted if higher accuracy sufficed": higher,
        }
    ]
