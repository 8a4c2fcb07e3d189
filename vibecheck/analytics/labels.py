"""Labels that look wrong: confident learning (Northcutt et al. 2021).

A model is as sure as it ought to be where it gives a label the probability that it gives this label on
average where people gave it. A label is in doubt where the model says another mood and is at least that
sure of it.
"""

from collections.abc import Mapping

# With few labels of a mood its average says little; nobody should be doubted on a coin's toss.
LEAST = 0.5


def thresholds(mean_label_probability: Mapping[str, float]) -> dict[str, float]:
    """From how sure a model must be of each mood, to put a label that contradicts it in doubt."""
    return {mood: max(LEAST, mean) for mood, mean in mean_label_probability.items()}
