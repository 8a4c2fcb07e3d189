"""The moods of a video over time → a chart."""

from collections.abc import Sequence
from typing import TypeAlias

from vibecheck.analytics.chart_style import CARD, TEXT, Spec, chart, field, finish, layer
from vibecheck.emotions import BY_NAME, EMOTIONS, Distribution

Moods: TypeAlias = Sequence[tuple[float, Distribution | None]]


def clip_chart(moods: Moods, every: float, title: str) -> Spec:
    """A bar for each reading with a face: as high as the confidence, in the colour of the mood shown.

    `moods` are (time in seconds, mood), one about every `every` seconds.
    """
    config = {
        "axis": {"labelColor": TEXT, "titleColor": TEXT, "gridOpacity": 0.15},
        "title": {"color": TEXT},
        "legend": {"labelColor": TEXT},
        "view": {"stroke": None},
    }
    look = {"title": title, "width": 900, "background": CARD, "config": config}
    return finish(_bars(moods, every), 240, title) | look


def clip_timeline(moods: Moods, every: float, description: str) -> Spec:
    """The same for a page; a screen reader says `description`."""
    return finish(_bars(moods, every), 230, description)


def _bars(moods: Moods, every: float) -> Spec:
    ends = [at for at, _ in moods[1:]] + [moods[-1][0] + every] if moods else []
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
    shown = [emotion for emotion in EMOTIONS if any(row["mood"] == emotion.title for row in rows)]
    colours = {
        "domain": [emotion.title for emotion in shown], "range": [emotion.colour for emotion in shown]
    }  # fmt: skip
    encoding = {
        "x": field("from:Q", title="Seconds", scale={"domain": [0, ends[-1] if ends else every]}),
        "x2": {"field": "to"},
        "y": field("confidence:Q", title="Confidence", scale={"domain": [0, 1]}, axis={"format": "%"}),
        "y2": {"datum": 0},
        "color": field("mood:N", scale=colours, legend={"title": None, "orient": "bottom", "columns": 4}),
        "tooltip": [
            field("from:Q", title="At (s)", format=".1f"),
            field("mood:N", title="Mood"),
            field("confidence:Q", title="Confidence", format=".0%"),
        ],
    }
    return chart(rows, encoding, layer("rect"))
