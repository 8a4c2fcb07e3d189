"""Charts of a training run: loss and accuracy.

The points are separate from the charts, so that a page can update a chart that is already drawn.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from vibecheck.analytics.chart_style import ACCENT, QUIET, RIGHT, finish

HEIGHT = 200


def loss_points(losses: Sequence[tuple[float, float]]) -> pd.DataFrame:
    """Columns done (0 to 1) and loss."""
    return pd.DataFrame(list(losses), columns=["done", "loss"], dtype=float)


def loss_curve() -> dict[str, Any]:
    """Loss by progress; Vega-Lite without data."""
    x = alt.X("done:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=5))
    y = alt.Y("loss:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4, format=".2f"))
    line = alt.Chart().mark_line(color=RIGHT, strokeWidth=2)
    tooltip = [alt.Tooltip("done:Q", title="Done", format=".0%"), alt.Tooltip("loss:Q", format=".3f")]
    return _plain(line.encode(x=x, y=y, tooltip=tooltip), "Loss")


def accuracy_points(rows: Sequence[tuple[str, float, float | None]]) -> pd.DataFrame:
    """Columns epoch (1, 2, …), stage, accuracy and balanced, from stages with their accuracies."""
    numbered = [
        {"epoch": number, "stage": stage, "accuracy": accuracy, "balanced": balanced}
        for number, (stage, accuracy, balanced) in enumerate(rows, start=1)
    ]
    columns = ["epoch", "stage", "accuracy", "balanced"]
    return pd.DataFrame(numbered, columns=columns).astype({"accuracy": float, "balanced": float})


def accuracy_curve() -> dict[str, Any]:
    """Accuracy, and balanced accuracy dashed, by epoch; Vega-Lite without data."""
    x = alt.X("epoch:Q", title="Epoch", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False))
    scale = alt.Scale(zero=False)
    axis = alt.Axis(format=".0%", tickCount=4)
    base = alt.Chart().encode(x=x)
    tooltip = [
        alt.Tooltip("epoch:Q", title="Epoch"),
        alt.Tooltip("stage:N", title="Stage"),
        alt.Tooltip("accuracy:Q", title="Accuracy", format=".1%"),
        alt.Tooltip("balanced:Q", title="Balanced accuracy", format=".1%"),
    ]
    return _plain(
        alt.layer(
            base.mark_line(color=QUIET, strokeDash=[4, 4], strokeWidth=1.5).encode(
                y=alt.Y("balanced:Q", scale=scale, title=None)
            ),
            base.mark_line(
                color=ACCENT, strokeWidth=2.5, point=alt.OverlayMarkDef(color=ACCENT, size=36)
            ).encode(y=alt.Y("accuracy:Q", scale=scale, axis=axis, title=None), tooltip=tooltip),
        ),
        "Accuracy on the validation set",
    )


def _plain(chart: alt.Chart | alt.LayerChart, name: str) -> dict[str, Any]:
    drawn = finish(chart, HEIGHT, name).to_dict(validate=False)
    for name in ("data", "datasets"):
        drawn.pop(name, None)
    return drawn
