"""Statistics → charts over time: accuracy and volume."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from vibecheck.analytics.accuracy import Point
from vibecheck.analytics.chart_style import ACCENT, QUIET, RIGHT, WARM, Spec, chart, colours, field, layer
from vibecheck.records.stats.results import Day

DATES = {"format": "%-d %b", "grid": False, "tickCount": 8}
COUNT_WIDTH = 26  # px, of a count with the space around it
ACCURACY, ESTIMATE, RANDOM_QUEUE = "Accuracy (95% band)", "Estimate without labels", "Random queue"
AGREEMENT = "Labellers agree"
# More bars than this are too thin.
MOST_DAYS = 180
LEAST_RANGE = 0.3


def accuracy_line(
    points: Sequence[Point],
    live: Sequence[tuple[date, str]] = (),
    step: str = "week",
    agreed: float | None = None,
) -> Spec:
    """Audited accuracy with its 95% band, the estimate dashed, answers below, and when models went live.

    The labellers' random queue is a separate line if it has enough labels. `agreed` is a horizontal line:
    the share of faces on which labellers agree.
    """
    drawn = any(point.drawn for point in points)
    by_series = {ACCURACY: ACCENT, ESTIMATE: "#C9D0DC"} | ({RANDOM_QUEUE: RIGHT} if drawn else {})
    if agreed is not None:
        by_series[AGREEMENT] = WARM
    colour = colours(
        "series:N", by_series, orient="top", symbolType="stroke", symbolStrokeWidth=3, labelLimit=260,
        columns={"expr": "width < 420 ? 1 : 3"},
    )  # fmt: skip
    scale = {"domain": _range(points, agreed), "nice": False, "clamp": True}
    shares = {"format": ".0%", "tickCount": 5}
    tooltip = _accuracy_tooltip(step)

    def series(name: str, of: str, **mark: Any) -> Spec:
        """A line of the legend, with a tooltip if it has points."""
        encoding: Spec = {"y": field(of, title=None, axis=shares, scale=scale), "color": colour}
        if "point" in mark:
            encoding["tooltip"] = tooltip
        return layer("line", encoding, **mark) | {"transform": [{"calculate": f"'{name}'", "as": "series"}]}

    band = {"y": field("low:Q", scale=scale, title=None), "y2": {"field": "high"}}
    layers = [
        layer("area", band, color=ACCENT, opacity=0.22),
        series(ESTIMATE, "estimate:Q", strokeDash=[4, 4], strokeWidth=1.5),
        series(ACCURACY, "accuracy:Q", strokeWidth=2.5, point={"size": 36}),
    ]
    if drawn:
        layers.append(series(RANDOM_QUEUE, "drawn:Q", strokeWidth=2, point={"size": 25}))
    if agreed is not None:
        layers.append(series(AGREEMENT, "agreed:Q", strokeDash=[1, 3], strokeWidth=1.5))
    # As many counts as fit side by side.
    fits = f"datum.number % ceil({len(points)} * {COUNT_WIDTH} / width) === 0"
    count = {"expr": f"datum.n && {fits} ? datum.n : ''"}
    below = {"y": {"value": "height"}}
    layers.append(layer("text", below, color=QUIET, fontSize=10, baseline="bottom", text=count))
    layers += _went_live(live, points)
    x = field("start:T", scale={"padding": 14}, title=None, axis=DATES | {"labelOverlap": True})
    return chart("Accuracy by " + step, 250, _accuracy_rows(points, agreed), {"x": x}, *layers)


def _accuracy_rows(points: Sequence[Point], agreed: float | None) -> list[dict[str, Any]]:
    return [
        {
            "start": point.start.isoformat(),
            **point.audited.named("accuracy"),
            "estimate": point.estimate,
            "n": point.audited.n,
            "number": number,
            "predictions": point.predictions,
            "drawn": point.drawn.value if point.drawn else None,
            "agreed": agreed,
        }
        for number, point in enumerate(points)
    ]


def _accuracy_tooltip(step: str) -> list[Spec]:
    return [
        field("start:T", title=f"{step.title()} from"),
        field("accuracy:Q", title="Accuracy", format=".0%"),
        field("low:Q", title="At least", format=".0%"),
        field("high:Q", title="At most", format=".0%"),
        field("estimate:Q", title="Estimate without labels", format=".0%"),
        field("n:Q", title="Audits"),
        field("drawn:Q", title="Labellers' random queue", format=".0%"),
        field("predictions:Q", title="Vibe checks"),
    ]


def volume_step(days: Sequence[Day]) -> str:
    """Whether `volume` draws a bar per day or, if those would be too thin, per week."""
    return "week" if len(days) > MOST_DAYS else "day"


def volume(days: Sequence[Day]) -> Spec:
    """Vibe checks a day, or a week (from Monday)."""
    step = volume_step(days)
    sums: dict[date, int] = {}
    for day in days:
        start = day.day - timedelta(days=day.day.weekday()) if step == "week" else day.day
        sums[start] = sums.get(start, 0) + day.n
    rows = [{"start": start.isoformat(), "n": n} for start, n in sums.items()]
    unit = "yearmonthdate" if step == "day" else "yearweek"
    encoding = {
        "x": field("start:T", timeUnit=unit, title=None, axis=DATES),
        "y": field("n:Q", title=None, axis={"tickCount": 4}),
        "tooltip": [field("start:T", title=f"{step.title()} from"), field("n:Q", title="Vibe checks")],
    }
    return chart(f"Vibe checks a {step}", 190, rows, encoding, layer("bar", color="#55607A"))


def _went_live(live: Sequence[tuple[date, str]], points: Sequence[Point]) -> list[Spec]:
    rows = [
        {"start": day.isoformat(), "model": name} for day, name in live if points and day > points[0].start
    ]
    if not rows:
        return []
    data = {"data": {"values": rows}}
    tooltip = {"tooltip": [field("model:N"), field("start:T")]}
    words = {"text": field("model:N"), "y": {"value": 2}}
    look = {"align": "left", "dx": 5, "fontSize": 11, "baseline": "top", "limit": 130}
    return [
        layer("rule", tooltip, color=WARM, strokeDash=[2, 4]) | data,
        layer("text", words, color=WARM, **look) | data,
    ]


def _range(points: Sequence[Point], agreed: float | None = None) -> list[float]:
    """The domain of the line's axis, with room for the counts below."""
    lines = [agreed, *(p.estimate for p in points), *(p.drawn.value for p in points if p.drawn)]
    bands = [edge for p in points if p.audited.n for edge in (p.audited.low, p.audited.high)]
    shown = bands + [value for value in lines if value is not None]
    if not shown:
        return [0.0, 1.0]
    low, high = min(shown), max(shown)
    # Around a single estimate, the axis would otherwise show tenths of a point.
    middle, half = (low + high) / 2, max(high - low, LEAST_RANGE) / 2
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return [max(0.0, low - 0.2 * (high - low) - 0.02), min(1.0, high + 0.08 * (high - low))]
