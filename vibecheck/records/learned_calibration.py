"""A calibration that was learned from a model's audits, as the records hold it."""

from dataclasses import dataclass
from datetime import datetime

from vibecheck.records.values import LARGEST, check_id, check_time
from vibecheck.vision.calibration import SHIPPED, TemperatureScaling


@dataclass(frozen=True, slots=True)
class LearnedScaling:
    """A temperature and biases (see `TemperatureScaling`), fitted to `n` audits.

    What they improve was measured on `later` audits, each of which was predicted by a fit to those before it:
    mean loss (negative log-likelihood in nats) and calibration error (0 to 1), without calibration and with
    it.
    """

    temperature: float
    bias: tuple[float, ...]
    n: int
    later: int
    loss_before: float
    loss_after: float
    error_before: float
    error_after: float

    def __post_init__(self) -> None:
        TemperatureScaling(self.temperature, self.bias)  # refuses what cannot be applied
        if not (0 <= self.later <= self.n < LARGEST):
            raise ValueError("a calibration is learned from audits, and measured on some of them")
        if not all(0 <= loss < LARGEST for loss in (self.loss_before, self.loss_after)):
            raise ValueError("a loss is a finite number from 0 on")
        if not all(0 <= error <= 1 + 1e-6 for error in (self.error_before, self.error_after)):
            raise ValueError("a calibration error lies between 0 and 1")

    @property
    def scaling(self) -> TemperatureScaling:
        """What it does to probabilities."""
        return TemperatureScaling(self.temperature, self.bias)

    @property
    def shipped(self) -> bool:
        """Whether it leaves the model as it is."""
        return self.scaling == SHIPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedCalibration(LearnedScaling):
    """A scaling that a model `version` has run under since `from_when`. `id` is `uuid.uuid4().hex`."""

    id: str
    version: str
    from_when: datetime

    def __post_init__(self) -> None:
        LearnedScaling.__post_init__(self)
        check_id(self.id)
        check_time("from_when", self.from_when)
