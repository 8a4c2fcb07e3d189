"""Error slices: accuracy by light, sharpness, size, turn, mood, confidence, source and model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vibecheck.analytics.shares import ALPHA, Share, fisher, holm, share
from vibecheck.records.stats.bins import SIGNALS
from vibecheck.records.stats.results import Cell, Group

TITLES = {signal.column: signal.title for signal in SIGNALS} | {
    "mood": "Mood shown",
    "source": "Source",
    "model_version": "Model",
}
SOURCES = {"live": "Live video", "photo": "Photo taken", "upload": "Upload", "import": "Imported"}
# Slices of fewer audits than this come last: their accuracy says little.
FEW = 10
# Fifteen bins of confidence are too fine to compare: they are merged by threes.
CONFIDENCE_STEP = 3


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the audits, `name` of `what`, against all others.

    `p_value` is Fisher's exact test, corrected by Holm for the number of slices; None where there are
    no others.
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


def slices(groups: Sequence[Group], cells: Sequence[Cell]) -> list[Slice]:
    """All slices, the lowest accuracy first, from audits counted by group and by label and mood.

    A group of all audits has nothing to be compared with and is left out of the correction.
    """
    total, correct = sum(cell.n for cell in cells), sum(c.n for c in cells if c.label == c.mood)
    moods: dict[str, list[Cell]] = {}
    for cell in cells:
        moods.setdefault(cell.mood, []).append(cell)
    by_mood = [
        Group("mood", f"Shown as {mood}", sum(c.n for c in here), sum(c.n for c in here if c.label == mood))
        for mood, here in moods.items()
    ]
    merged = [*_coarse([g for g in groups if g.what == "confidence"]), *by_mood]
    merged += [
        replace(group, name=SOURCES.get(group.name, group.name)) if group.what == "source" else group
        for group in groups
        if group.what != "confidence"
    ]
    kept = [group for group in merged if 0 < group.n < total]
    p_values = holm([fisher(g.correct, g.n, correct - g.correct, total - g.n) for g in kept])
    found = [
        Slice(
            TITLES[group.what],
            group.name,
            share(group.correct, group.n),
            p_value,
            group.correct / group.n < correct / total,
        )
        for group, p_value in zip(kept, p_values, strict=True)
    ]
    found += [
        Slice(TITLES[g.what], g.name, share(g.correct, g.n), None, False) for g in merged if g.n == total
    ]
    return sorted(found, key=lambda each: (each.accuracy.n < FEW, each.accuracy.value))


def _coarse(groups: Sequence[Group]) -> list[Group]:
    """Groups of confidence, from 15 bins to 5."""
    signal = SIGNALS[0]
    merged = []
    for start in range(0, len(signal.names), CONFIDENCE_STEP):
        names = signal.names[start : start + CONFIDENCE_STEP]
        here = [group for group in groups if group.name in names]
        name = f"Confidence {start / len(signal.names):.0%} to {(start + len(names)) / len(signal.names):.0%}"
        merged.append(Group("confidence", name, sum(g.n for g in here), sum(g.correct for g in here)))
    return [group for group in merged if group.n]
