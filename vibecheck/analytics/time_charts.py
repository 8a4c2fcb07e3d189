"""Statistics → charts (Altair) over time: accuracy and volume."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import altair as alt

from vibecheck.analytics.accuracy import Point
from vibecheck.analytics.chart_style import ACCENT, QUIET, RIGHT, WARM, Chart, finish
from vibecheck.records.stats.results import Day

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
) -> Chart:
    """Audited accuracy with its 95% band, the estimate dashed, answers below, and when models went live.

    The labellers' random queue is a separate line if it has enough labels. `agreed` is a horizontal line:
    the share of faces on which labellers agree.
    """
    x = alt.X(
        "start:T",
        scale=alt.Scale(padding=14),
        title=None,
        axis=alt.Axis(format="%-d %b", grid=False, labelOverlap=True, tickCount=8),
    )
    tooltip = _accuracy_tooltip(step)
    drawn = any(point.drawn for point in points)
    colours = {ACCURACY: ACCENT, ESTIMATE: "#C9D0DC"} | ({RANDOM_QUEUE: RIGHT} if drawn else {})
    if agreed is not None:
        colours[AGREEMENT] = WARM
    legend = alt.Legend(
        orient="top", title=None, symbolType="stroke", symbolStrokeWidth=3, labelLimit=260,
        columns=alt.ExprRef("width < 420 ? 1 : 3"),
    )  # fmt: skip
    named = alt.Scale(domain=list(colours), range=list(colours.values()))

    def series(name: str, of: str, **mark: Any) -> alt.Chart:
        """A line of the legend."""
        chart = base.mark_line(**mark).transform_calculate(series=f"'{name}'")
        y = alt.Y(of, title=None, axis=alt.Axis(format=".0%", tickCount=5), scale=scale)
        return chart.encode(y=y, color=alt.Color("series:N", scale=named, legend=legend))

    base = alt.Chart(alt.Data(values=_accuracy_rows(points, agreed))).encode(x=x)
    scale = alt.Scale(domain=_range(points, agreed), nice=False, clamp=True)
    band = base.mark_area(color=ACCENT, opacity=0.22)
    layers = [
        band.encode(y=alt.Y("low:Q", scale=scale, title=None), y2="high:Q"),
        series(ESTIMATE, "estimate:Q", strokeDash=[4, 4], strokeWidth=1.5),
        series(ACCURACY, "accuracy:Q", strokeWidth=2.5, point=alt.OverlayMarkDef(size=36)).encode(
            tooltip=tooltip
        ),
    ]
    if drawn:
        queue = series(RANDOM_QUEUE, "drawn:Q", strokeWidth=2, point=alt.OverlayMarkDef(size=25))
        layers.append(queue.encode(tooltip=tooltip))
    if agreed is not None:
        layers.append(series(AGREEMENT, "agreed:Q", strokeDash=[1, 3], strokeWidth=1.5))
    # As many counts as fit side by side.
    fits = f"datum.number % ceil({len(points)} * {COUNT_WIDTH} / width) === 0"
    count = alt.ExprRef(f"datum.n && {fits} ? datum.n : ''")
    below = base.mark_text(color=QUIET, fontSize=10, baseline="bottom", text=count)
    layers.append(below.encode(y=alt.value("height")))
    if points:
        layers += _went_live(live, points)
    return finish(alt.layer(*layers), 250, "Accuracy by " + step)


def _accuracy_rows(points: Sequence[Point], agreed: float | None) -> list[dict[str, Any]]:
    return [
        {
            "start": point.start.isoformat(),
            "accuracy": point.audited.value,
            "low": point.audited.low if point.audited.n else None,
            "high": point.audited.high if point.audited.n else None,
            "estimate": point.estimate,
            "n": point.audited.n,
            "number": number,
            "predictions": point.predictions,
            "drawn": point.drawn.value if point.drawn else None,
            "agreed": agreed,
        }
        for number, point in enumerate(points)
    ]


def _accuracy_tooltip(step: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("start:T", title=f"{step.title()} from"),
        alt.Tooltip("accuracy:Q", title="Accuracy", format=".0%"),
        alt.Tooltip("low:Q", title="At least", format=".0%"),
        alt.Tooltip("high:Q", title="At most", format=".0%"),
        alt.Tooltip("estimate:Q", title="Estimate without labels", format=".0%"),
        alt.Tooltip("n:Q", title="Audits"),
        alt.Tooltip("drawn:Q", title="Labellers' random queue", format=".0%"),
        alt.Tooltip("predictions:Q", title="Vibe checks"),
    ]


def volume_step(days: Sequence[Day]) -> str:
    """Whether `volume` draws a bar per day or, if those would be too thin, per week."""
    return "week" if len(days) > MOST_DAYS else "day"


def volume(days: Sequence[Day]) -> Chart:
    """Vibe checks a day, or a week (from Monday)."""
    step = volume_step(days)
    sums: dict[date, int] = {}
    for day in days:
        start = day.day - timedelta(days=day.day.weekday()) if step == "week" else day.day
        sums[start] = sums.get(start, 0) + day.n
    rows = [{"start": start.isoformat(), "n": n} for start, n in sums.items()]
    chart = alt.Chart(alt.Data(values=rows)).mark_bar(color="#55607A")
    unit = "yearmonthdate" if step == "day" else "yearweek"
    return finish(
        chart.encode(
            x=alt.X(f"{unit}(start):T", title=None, axis=alt.Axis(format="%-d %b", grid=False, tickCount=8)),
            y=alt.Y("n:Q", title=None, axis=alt.Axis(tickCount=4)),
            tooltip=[
                alt.Tooltip("start:T", title=f"{step.title()} from"),
                alt.Tooltip("n:Q", title="Vibe checks"),
            ],
        ),
        190,
        f"Vibe checks a {step}",
    )


def _went_live(live: Sequence[tuple[date, str]], points: Sequence[Point]) -> list[alt.Chart]:
    rows = [{"start": day.isoformat(), "model": name} for day, name in live if day > points[0].start]
    if not rows:
        return []
    base = alt.Chart(alt.Data(values=rows)).encode(x="start:T")
    words = base.mark_text(color=WARM, align="left", dx=5, fontSize=11, baseline="top", limit=130)
    return [
        base.mark_rule(color=WARM, strokeDash=[2, 4]).encode(tooltip=["model:N", "start:T"]),
        words.encode(text="model:N", y=alt.value(2)),
    ]


def _range(points: Sequence[Point], agreed: float | None = None) -> list[float]:
    """The domain of the line's axis, with room for the counts below."""
    shown = [p.estimate for p in points if p.estimate is not None]
    shown += [p.drawn.value for p in points if p.drawn and p.drawn.value is not None]
    shown += [] if agreed is None else [agreed]
    lows = [p.audited.low for p in points if p.audited.n] + shown
    highs = [p.audited.high for p in points if p.audited.n] + shown
    if not lows:
        return [0.0, 1.0]
    low, high = min(lows), max(highs)
    # Around a single estimate, the axis would otherwise show tenths of a point.
    middle, half = (low + high) / 2, max(high - low, LEAST_RANGE) / 2
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return [max(0.0, low - 0.2 * (high - low) - 0.02), min(1.0, high + 0.08 * (high - low))]
