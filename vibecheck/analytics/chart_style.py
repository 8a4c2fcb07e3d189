"""What all charts look like: colours, axes, background. It knows no statistics."""

from typing import TypeAlias

import altair as alt

# Altair looks into pandas as soon as anybody has begun to import it, and Streamlit does so in the midst of
# a page: another session's page would find it half there.
import pandas  # noqa: F401

TEXT, QUIET, GRID, CARD = "#F2F4F8", "#98A2B3", "#2A3040", "#161A23"
ACCENT, WARM = "#8E7BFF", "#FFC94D"
# Right and wrong in blue and orange, which everybody tells apart.
RIGHT, WRONG = "#6EA8FF", "#FF9F5A"
Chart: TypeAlias = alt.LayerChart | alt.Chart


def finish(chart: Chart, height: int, name: str) -> Chart:
    """The chart as wide as its place, `height` px high; `name` is what a screen reader says."""
    return (
        chart.properties(width="container", height=height, background="transparent", description=name)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=QUIET, titleColor=QUIET, gridColor=GRID, domainColor=GRID, tickColor=GRID,
            labelFontSize=11, titleFontSize=11, titleFontWeight="normal", titlePadding=8,
        )
        .configure_legend(labelColor=QUIET, symbolType="square")
    )  # fmt: skip
