"""The models that made predictions here, compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from vibecheck.analytics.calibration import Calibration, calibration
from vibecheck.analytics.shares import Share, over_visitors
from vibecheck.records.stats.results import Bin, Group, VersionUse, VisitorTally


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


def side_by_side(
    uses: Sequence[VersionUse], groups: Sequence[Group], bins: Sequence[Bin]
) -> list[ComparedModel]:
    """All models, newest first; `groups` and `bins` are all their audits, by version."""
    tallies = {group.name: group.tally for group in groups if group.what == "model_version"}
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
                accuracy=over_visitors(tallies.get(use.version, VisitorTally())),
                calibration=calibration(mine),
                latency_ms=use.latency_ms,
            )
        )
    return result
