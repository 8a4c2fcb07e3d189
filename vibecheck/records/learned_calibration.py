"""Calibrations that were learned from models' audits, and their rows: the latest of a version is in use."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from vibecheck.records.db.tables import calibrations
from vibecheck.records.db.transactions import database_now, insert_new
from vibecheck.records.values import LARGEST, check_id, check_time
from vibecheck.vision.temperature_scaling import SHIPPED, TemperatureScaling


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


def in_use(connection: Connection, version: str) -> LearnedCalibration | None:
    """The calibration in use for a version; None for the one it shipped with."""
    return next(iter(history(connection, version, limit=1)), None)


def history(
    connection: Connection, version: str | None = None, limit: int | None = None
) -> list[LearnedCalibration]:
    """The calibrations of a version, or of all, newest first: all, or the newest `limit`."""
    query = select(calibrations).order_by(calibrations.c.from_when.desc(), calibrations.c.id).limit(limit)
    if version is not None:
        query = query.where(calibrations.c.version == version)
    rows = connection.execute(query).mappings()
    return [LearnedCalibration(**{**row, "bias": tuple(row["bias"])}) for row in rows]


def add(connection: Connection, new: LearnedCalibration) -> None:
    """Puts a calibration into use."""
    connection.execute(insert(calibrations).values(asdict(new)))


def merge(connection: Connection, found: Sequence[LearnedCalibration]) -> None:
    """Adds missing calibrations, except any from the future, which would stay in use forever."""
    now = database_now(connection)
    insert_new(connection, calibrations, (asdict(each) for each in found if each.from_when <= now))
