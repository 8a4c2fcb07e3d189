"""The models that made predictions here, compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from vibecheck.analytics.calibration import Calibration, calibration
from vibecheck.analytics.shares import Share, share
from vibecheck.records.stats.results import Bin, VersionUse


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """One model: its days, its number of predictions, accuracy, calibration, and mean latency in ms."""

    name: str
    origin: str
    first_day: date
    last_day: date | None
    predictions: int
    accuracy: Share
    calibration: Calibration
    latency_ms: float | None


def side_by_side(uses: Sequence[VersionUse], bins: Sequence[Bin]) -> list[ComparedModel]:
    """All models, newest first; `bins` count all their audits."""
    result = []
    for use in reversed(uses):
        mine = [each for each in bins if each.model_version == use.version]
        result.append(
            ComparedModel(
                name=use.version,
                origin=use.origin,
                first_day=use.first_used_at.date(),
                last_day=use.last_day,
                predictions=use.n,
                accuracy=share(sum(b.correct for b in mine), sum(b.n for b in mine)),
                calibration=calibration(mine),
                latency_ms=use.latency_ms,
            )
        )
    return result
