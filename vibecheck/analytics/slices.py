"""Error slices: accuracy by light, sharpness, size, turn, mood, confidence, source and model."""

from collections.abc import Sequence
from dataclasses import dataclass

from vibecheck.analytics.shares import ALPHA, Share, holm, over_visitors, p_value
from vibecheck.records.stats.bins import SIGNALS
from vibecheck.records.stats.results import Group

TITLES = {signal.column: signal.title for signal in SIGNALS} | {
    "mood": "Mood shown",
    "source": "Source",
    "model_version": "Model",
}
SOURCES = {
    "live": "Live video",
    "photo": "Photo taken",
    "upload": "Upload",
    "video": "Video",
    "import": "Imported",
}
# Slices of fewer audits than this come last: their accuracy says little.
FEW = 10


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the audits, `name` of `what`, against all others.

    `p_value` is Fisher's exact test, corrected by Holm for the number of slices; None without others.
    """

    what: str
    name: str
    accuracy: Share
    p_value: float | None
    worse: bool

    @property
    def stands_out(self) -> bool:
        """Whether it differs significantly from all others."""
        return self.p_value is not None and self.p_value < ALPHA


def slices(groups: Sequence[Group]) -> list[Slice]:
    """All slices, the lowest accuracy first, from audits counted by group.

    A group of all audits has nothing to be compared with and is left out of the correction.
    """
    compared = [(group, over_visitors(group.tally), over_visitors(group.others)) for group in groups]
    p_values = iter(holm([p_value(mine, others) for _, mine, others in compared if others.n]))
    found = [
        Slice(
            TITLES[group.what],
            _name(group),
            mine,
            next(p_values) if others.n else None,
            (mine.value or 0.0) < (others.value or 0.0),
        )
        for group, mine, others in compared
    ]
    return sorted(found, key=lambda each: (each.accuracy.n < FEW, each.accuracy.value))


def _name(group: Group) -> str:
    if group.what == "mood":
        return f"Shown as {group.name}"
    return SOURCES.get(group.name, group.name) if group.what == "source" else group.name
