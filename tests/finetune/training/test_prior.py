"""The strength of the class-prior correction follows the mix of moods in the labels."""

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("default")  # what torch warns of is not ours to mend

PRIOR = np.array([0.1, 0.02, 0.05, 0.25, 0.3, 0.16, 0.12])


def labelled(count: int, mix: np.ndarray, before: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What a model trained under PRIOR says, corrected by `before`, of pictures whose moods come as `mix`."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(7, count, p=mix / mix.sum())
    evidence = 1.5 * np.eye(7)[truth] + rng.normal(size=(count, 7))
    logits = evidence * 1.5 + np.log(PRIOR)  # what the picture says, and what was usual in training
    corrected = logits - before * np.log(PRIOR)
    return corrected - np.logaddexp.reduce(corrected, axis=1, keepdims=True), truth


@pytest.mark.parametrize("before", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("mix", "low", "high"), [(PRIOR, 0.0, 0.2), (np.ones(7), 0.8, 1.0)])
def test_many_labels_determine_the_prior_strength(before, mix, low, high):
    from finetune.training.adaptation import strength

    answers, truth = labelled(4000, mix, before)
    assert low <= strength(answers, truth, np.log(PRIOR), before) <= high


def test_few_labels_change_the_prior_strength_little():
    from finetune.training.adaptation import strength

    answers, truth = labelled(4, PRIOR, 1.0)
    assert strength(answers, truth, np.log(PRIOR), 1.0) > 0.7
