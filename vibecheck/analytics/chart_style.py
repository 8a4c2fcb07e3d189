"""The look of all charts: colours, axes, background."""

from typing import TypeAlias

import altair as alt

# Altair uses pandas as soon as any thread has begun to import it, and Streamlit imports it while a page runs:
# another session's page would find a half-imported module.
import pandas  # noqa: F401

TEXT, QUIET, GRID, CARD = "#F2F4F8", "#98A2B3", "#2A3040", "#161A23"
ACCENT, WARM = "#8E7BFF", "#FFC94D"
# Blue and orange for right and wrong: distinguishable with any colour vision.
RIGHT, WRONG = "#6EA8FF", "#FF9F5A"
Chart: TypeAlias = alt.LayerChart | alt.Chart


CONFIG = alt.Config(
    view=alt.ViewConfig(stroke=None),
    axis=alt.AxisConfig(
        labelColor=QUIET, titleColor=QUIET, gridColor=GRID, domainColor=GRID, tickColor=GRID,
        labelFontSize=11, titleFontSize=11, titleFontWeight="normal", titlePadding=8,
    ),
    legend=alt.LegendConfig(labelColor=QUIET, symbolType="square"),
)  # fmt: skip


def finish(chart: Chart, height: int, name: str) -> Chart:
    """The chart as wide as its container, `height` px high; `name` is its description for screen readers."""
    # In one call: each copies the chart, which takes some ms.
    return chart.properties(
        width="container", height=height, background="transparent", description=name, config=CONFIG
    )
