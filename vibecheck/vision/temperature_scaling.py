"""Temperature scaling of a model's probabilities, with a bias for each mood, and its inverse."""

from dataclasses import dataclass

import numpy as np

from vibecheck.emotions import NAMES

NO_BIAS = (0.0,) * len(NAMES)
# Bounds of what is applied, whatever the records say.
COLDEST, HOTTEST = 0.2, 10.0
LARGEST_BIAS = 5.0
# Smaller probabilities count as this one, so that a single mistaken label does not determine a temperature.
FLOOR = 1e-4


@dataclass(frozen=True, slots=True)
class TemperatureScaling:
    """Bias-corrected temperature scaling (Alexandari et al. 2020, arXiv:1901.06852).

    The calibrated probabilities are softmax(log p / temperature + bias): a temperature above 1 lowers
    confidence; `bias`, seven numbers in the order of EMOTIONS, accounts for moods that are more or less
    frequent than the model assumes.
    """

    temperature: float
    bias: tuple[float, ...] = NO_BIAS

    def __post_init__(self) -> None:
        # Written so that a NaN, which compares as false with everything, is refused too.
        if not COLDEST <= self.temperature <= HOTTEST:
            raise ValueError(f"a temperature lies between {COLDEST} and {HOTTEST}, not {self.temperature}")
        if len(self.bias) != len(NAMES) or not all(abs(each) <= LARGEST_BIAS for each in self.bias):
            raise ValueError(f"a bias is seven numbers of at most {LARGEST_BIAS}, not {self.bias}")

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrate N x 7 probabilities."""
        return softmax(logarithms(probabilities) / self.temperature + np.asarray(self.bias))

    def undo(self, probabilities: np.ndarray) -> np.ndarray:
        """The inverse of `apply`: N x 7 uncalibrated probabilities."""
        # Not `logarithms`: a low temperature makes small probabilities smaller than its floor.
        logs = np.log(np.maximum(probabilities, np.finfo(float).tiny))
        return softmax((logs - np.asarray(self.bias)) * self.temperature)


SHIPPED = TemperatureScaling(1.0)


def logarithms(probabilities: np.ndarray) -> np.ndarray:
    """The logarithms of probabilities, which are first raised to at least FLOOR."""
    return np.log(np.maximum(probabilities, FLOOR))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row by row (N x 7)."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
