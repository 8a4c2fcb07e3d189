"""The moods of a video over its time → a chart (Altair)."""

from collections.abc import Sequence

import altair as alt

from vibecheck.analytics.chart_style import CARD, TEXT, Chart
from vibecheck.emotions import BY_NAME, EMOTIONS, Distribution


def clip_chart(moods: Sequence[tuple[float, Distribution | None]], every: float, title: str) -> Chart:
    """A bar for each reading with a face: as high as the confidence, in the colour of the mood shown.

    `moods` are (time in seconds, mood), one about every `every` seconds.
    """
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
    titles = [emotion.title for emotion in EMOTIONS]
    colours = alt.Scale(domain=titles, range=[emotion.colour for emotion in EMOTIONS])
    return (
        alt.Chart(alt.Data(values=rows), title=title)
        .mark_rect()
        .encode(
            x=x,
            x2="to:Q",
            y=alt.Y("confidence:Q", title="Confidence", scale=alt.Scale(domain=[0, 1])).axis(format="%"),
            y2=alt.datum(0),
            color=alt.Color("mood:N", title=None, scale=colours),
            tooltip=[
                alt.Tooltip("from:Q", title="At (s)", format=".1f"),
                alt.Tooltip("mood:N", title="Mood"),
                alt.Tooltip("confidence:Q", title="Confidence", format=".0%"),
            ],
        )
        .properties(width=900, height=240, background=CARD)
        .configure_axis(labelColor=TEXT, titleColor=TEXT, gridOpacity=0.15)
        .configure_title(color=TEXT)
        .configure_legend(labelColor=TEXT, orient="bottom")
        .configure_view(stroke=None)
    )  # fmt: skip
