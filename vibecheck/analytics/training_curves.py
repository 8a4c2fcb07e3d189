"""Charts of a training run: loss and accuracy.

The points are separate from the charts, so that a page can update a chart that is already drawn.
"""

from collections.abc import Sequence

import pandas as pd

from vibecheck.analytics.chart_style import ACCENT, QUIET, RIGHT, Spec, chart, field, layer

HEIGHT = 200


def loss_points(losses: Sequence[tuple[float, float]]) -> pd.DataFrame:
    """Columns done (0 to 1) and loss."""
    return pd.DataFrame(list(losses), columns=["done", "loss"], dtype=float)


def loss_curve() -> Spec:
    """Loss by progress; Vega-Lite without data."""
    encoding = {
        "x": field("done:Q", title=None, scale={"domain": [0, 1]}, axis={"format": ".0%", "tickCount": 5}),
        "y": field("loss:Q", title=None, scale={"zero": False}, axis={"tickCount": 4, "format": ".2f"}),
        "tooltip": [field("done:Q", title="Done", format=".0%"), field("loss:Q", format=".3f")],
    }
    return chart("Loss", HEIGHT, None, encoding, layer("line", color=RIGHT, strokeWidth=2))


def accuracy_points(rows: Sequence[tuple[str, float, float | None]]) -> pd.DataFrame:
    """Columns epoch (1, 2, …), stage, accuracy and balanced, from stages with their accuracies."""
    points = pd.DataFrame(list(rows), columns=["stage", "accuracy", "balanced"])
    points.insert(0, "epoch", range(1, len(points) + 1))
    return points.astype({"accuracy": float, "balanced": float})


def accuracy_curve() -> Spec:
    """Accuracy, and balanced accuracy dashed, by epoch; Vega-Lite without data."""
    scale = {"zero": False}
    balanced = {"y": field("balanced:Q", scale=scale, title=None)}
    accuracy = {
        "y": field("accuracy:Q", scale=scale, axis={"format": ".0%", "tickCount": 4}, title=None),
        "tooltip": [
            field("epoch:Q", title="Epoch"),
            field("stage:N", title="Stage"),
            field("accuracy:Q", title="Accuracy", format=".1%"),
            field("balanced:Q", title="Balanced accuracy", format=".1%"),
        ],
    }
    axis = {"tickMinStep": 1, "format": "d"}
    return chart(
        "Accuracy on the validation set",
        HEIGHT,
        None,
        {"x": field("epoch:Q", title="Epoch", axis=axis, scale={"nice": False})},
        layer("line", balanced, color=QUIET, strokeDash=[4, 4], strokeWidth=1.5),
        layer("line", accuracy, color=ACCENT, strokeWidth=2.5, point={"color": ACCENT, "size": 36}),
    )
