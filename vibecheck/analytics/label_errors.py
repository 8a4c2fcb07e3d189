"""Labels that look wrong: confident learning (Northcutt et al. 2021).

A model is sure enough of a mood where it gives it the probability that it gives it on average where
people said it too. A label is in doubt where the model says another mood and is at least that sure.
"""

from collections.abc import Mapping

# Nobody's word is doubted for less than this, whatever the average.
HIGH = 0.8


def thresholds(mean_label_probability: Mapping[str, float]) -> dict[str, float]:
    """From how sure a model must be of each mood, to put a label that contradicts it in doubt."""
    return {mood: max(HIGH, mean) for mood, mean in mean_label_probability.items()}
