"""Error slices: accuracy by light, sharpness, size, turn, mood, confidence, source and model."""

from dataclasses import dataclass

from vibecheck.analytics.shares import ALPHA, Share, holm, over_visitors, p_value
from vibecheck.records.stats.bins import SIGNALS
from vibecheck.records.stats.visitor_tallies import Groups

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


def slices(groups: Groups) -> list[Slice]:
    """All slices, the lowest accuracy first, from audits counted by group.

    A group of all audits has nothing to be compared with and is left out of the correction.
    """
    compared = [(key, over_visitors(mine), over_visitors(others)) for key, (mine, others) in groups.items()]
    p_values = iter(holm([p_value(mine, others) for _, mine, others in compared if others.n]))
    found = [
        Slice(
            TITLES[what],
            _name(what, name),
            mine,
            next(p_values) if others.n else None,
            (mine.value or 0.0) < (others.value or 0.0),
        )
        for (what, name), mine, others in compared
    ]
    return sorted(found, key=lambda each: (each.accuracy.n < FEW, each.accuracy.value))


def _name(what: str, name: str) -> str:
    if what == "mood":
        return f"Shown as {name}"
    return SOURCES.get(name, name) if what == "source" else name
