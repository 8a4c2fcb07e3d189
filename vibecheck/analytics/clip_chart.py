"""The moods of a video over time → a chart (Altair)."""

from collections.abc import Sequence
from typing import TypeAlias

import altair as alt

from vibecheck.analytics.chart_style import CARD, TEXT, Chart, finish
from vibecheck.emotions import BY_NAME, EMOTIONS, Distribution

Moods: TypeAlias = Sequence[tuple[float, Distribution | None]]


def clip_chart(moods: Moods, every: float, title: str) -> Chart:
    """A bar for each reading with a face: as high as the confidence, in the colour of the mood shown.

    `moods` are (time in seconds, mood), one about every `every` seconds.
    """
    return (
        _bars(moods, every)
        .properties(title=title, width=900, height=240, background=CARD)
        .configure_axis(labelColor=TEXT, titleColor=TEXT, gridOpacity=0.15)
        .configure_title(color=TEXT)
        .configure_legend(labelColor=TEXT, orient="bottom")
        .configure_view(stroke=None)
    )


def clip_timeline(moods: Moods, every: float, description: str) -> Chart:
    """The same for a page; a screen reader says `description`."""
    return finish(_bars(moods, every), 230, description)


def _bars(moods: Moods, every: float) -> alt.Chart:
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
    x = alt.X("from:Q", title="Seconds", scale=alt.Scale(domain=[0, ends[-1] if ends else every]))
    shown = [emotion for emotion in EMOTIONS if any(row["mood"] == emotion.title for row in rows)]
    colours = alt.Scale(
        domain=[emotion.title for emotion in shown], range=[emotion.colour for emotion in shown]
    )
    legend = alt.Legend(title=None, orient="bottom", columns=4)
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_rect()
        .encode(
            x=x,
            x2="to:Q",
            y=alt.Y("confidence:Q", title="Confidence", scale=alt.Scale(domain=[0, 1])).axis(format="%"),
            y2=alt.datum(0),
            color=alt.Color("mood:N", scale=colours, legend=legend),
            tooltip=[
                alt.Tooltip("from:Q", title="At (s)", format=".1f"),
                alt.Tooltip("mood:N", title="Mood"),
                alt.Tooltip("confidence:Q", title="Confidence", format=".0%"),
            ],
        )
    )  # fmt: skip
