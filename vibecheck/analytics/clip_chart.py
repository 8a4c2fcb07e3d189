"""The moods of a video over time → a chart."""

import math
from collections.abc import Sequence
from typing import TypeAlias

from vibecheck.analytics.chart_style import CARD, TEXT, Spec, chart, colours, field, layer
from vibecheck.emotions import BY_NAME, EMOTIONS, Distribution

Moods: TypeAlias = Sequence[tuple[float, Distribution | None]]


def clip_chart(moods: Moods, every: float, title: str, end: float = math.inf) -> Spec:
    """A bar for each reading with a face: as high as the confidence, in the colour of the mood shown.

    `moods` are (time in seconds, mood), one about every `every` seconds of a clip that ends at `end`.
    """
    config = {
        "axis": {"labelColor": TEXT, "titleColor": TEXT, "gridOpacity": 0.15},
        "title": {"color": TEXT},
        "legend": {"labelColor": TEXT},
        "view": {"stroke": None},
    }
    look = {"title": title, "width": 900, "background": CARD, "config": config}
    return clip_timeline(moods, every, title, 240, end) | look


def clip_timeline(
    moods: Moods, every: float, description: str, height: int = 230, end: float = math.inf
) -> Spec:
    """The same for a page; a screen reader says `description`."""
    ends = [at for at, _ in moods[1:]] + [min(moods[-1][0] + every, end)] if moods else []
    rows = [
        {
            "from": at,
            "to": min(end, at + 5 * every),
            "mood": BY_NAME[mood.mood].title,
            "confidence": mood.confidence,
        }
        for (at, mood), end in zip(moods, ends, strict=True)
        if mood
    ]
    shown = {row["mood"] for row in rows}
    by_mood = {emotion.title: emotion.colour for emotion in EMOTIONS if emotion.title in shown}
    encoding = {
        "x": field("from:Q", title="Seconds", scale={"domain": [0, ends[-1] if ends else every]}),
        "x2": {"field": "to"},
        "y": field("confidence:Q", title="Confidence", scale={"domain": [0, 1]}, axis={"format": "%"}),
        "y2": {"datum": 0},
        "color": colours("mood:N", by_mood, orient="bottom", columns=4),
        "tooltip": [
            field("from:Q", title="At (s)", format=".1f"),
            field("mood:N", title="Mood"),
            field("confidence:Q", title="Confidence", format=".0%"),
        ],
    }
    return chart(description, height, rows, encoding, layer("rect"))
