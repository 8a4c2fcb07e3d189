"""Statistics → charts (Altair): confusion, calibration, drift."""

import altair as alt

from vibecheck.analytics.calibration import Calibration
from vibecheck.analytics.chart_style import ACCENT, CARD, QUIET, RIGHT, TEXT, WARM, WRONG, Chart, finish
from vibecheck.analytics.confusion import Confusion
from vibecheck.analytics.drift import Shift
from vibecheck.emotions import EMOTIONS, NAMES
from vibecheck.records.stats.bins import CONFIDENCE_BINS

# One hue from dark to light: it reads the same with any colour vision, and in grey.
SHADES = ["#1A2830", "#214049", "#2B5A60", "#357577", "#409192", "#4CC2C4"]

PICK = "cell"
PAIRS = 6  # of the most confused moods
TITLES = [emotion.title for emotion in EMOTIONS]


def confusion_matrix(found: Confusion) -> Chart:
    """Rows: what people said; columns: what was shown. Clicking a cell selects it (`PICK`)."""
    top = found.pairs[0] if found.pairs else None
    rows = [
        {
            "label": TITLES[i],
            "mood": TITLES[j],
            "share": share,
            "count": found.counts[i][j],
            "text": f"{share * 100:.0f}" if found.counts[i][j] else "",
            "light": share > 0.7,
            "top": top is not None and i != j and {NAMES[i], NAMES[j]} == {top.first, top.second},
        }
        for i, row in enumerate(found.rows)
        for j, share in enumerate(row)
        if share is not None
    ]
    pick = alt.selection_point(name=PICK, fields=["label", "mood"], empty=False)
    axis = {"labelColor": QUIET, "ticks": False, "domain": False, "grid": False, "labelPadding": 6}
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "mood:N", sort=TITLES, title="What was shown",
            axis=alt.Axis(orient="top", labelAngle=-40, labelOverlap=False, **axis),
            scale=alt.Scale(domain=TITLES, paddingInner=0.06),
        ),
        y=alt.Y(
            "label:N", sort=TITLES, title="What people said", axis=alt.Axis(**axis),
            scale=alt.Scale(domain=TITLES, paddingInner=0.06),
        ),
        tooltip=[
            alt.Tooltip("label:N", title="People said"),
            alt.Tooltip("mood:N", title="Shown"),
            alt.Tooltip("count:Q", title="Answers"),
            alt.Tooltip("share:Q", title="Of the row", format=".0%"),
        ],
    )  # fmt: skip
    cells = base.mark_rect(cornerRadius=6, cursor="pointer").encode(
        color=alt.Color("share:Q", scale=alt.Scale(range=SHADES, domain=[0, 1]), legend=None),
        stroke=alt.condition("datum.top", alt.value(WARM), alt.value(CARD)),
        strokeWidth=alt.condition("datum.top", alt.value(2), alt.value(0)),
    )
    words = base.mark_text(fontSize=12).encode(
        text="text:N", color=alt.condition("datum.light", alt.value("#0D0A22"), alt.value(TEXT))
    )
    return finish(alt.layer(cells.add_params(pick), words), 330, "Confusion matrix")


def pair_bars(found: Confusion) -> Chart:
    """The most confused pairs, with the interval of their share of all mistakes."""
    rows = [
        {
            "pair": f"{pair.first.title()} and {pair.second}",
            "share": pair.of_mistakes.value,
            "low": pair.of_mistakes.low,
            "high": pair.of_mistakes.high,
            "count": pair.of_mistakes.k,
        }
        for pair in found.pairs[:PAIRS]
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("pair:N", sort="-x", title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=200)),
        tooltip=[
            alt.Tooltip("pair:N", title="Pair"),
            alt.Tooltip("count:Q", title="Mistakes"),
            alt.Tooltip("low:Q", title="At least", format=".0%"),
            alt.Tooltip("high:Q", title="At most", format=".0%"),
        ],
    )
    axis = alt.Axis(format=".0%", tickCount=4)
    bars = base.mark_bar(color="#409192", cornerRadius=4, height=14).encode(
        x=alt.X("share:Q", title="Share of all mistakes", axis=axis)
    )
    whiskers = base.mark_rule(color=TEXT, strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    return finish(alt.layer(bars, whiskers), 60 + 30 * len(rows), "Most confused pairs")


def reliability(found: Calibration) -> Chart:
    """Accuracy by confidence; on the dashed diagonal the two are equal."""
    rows = [
        {
            "confidence": step.confidence,
            "accuracy": step.accuracy.value,
            "low": step.accuracy.low,
            "high": step.accuracy.high,
            "n": step.accuracy.n,
        }
        for step in found.steps
    ]
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("confidence:Q", scale=scale, title="Confidence", axis=alt.Axis(format=".0%", tickCount=5))
    base = alt.Chart(alt.Data(values=rows)).encode(x=x)
    diagonal = alt.Chart(
        alt.Data(values=[{"confidence": 0, "accuracy": 0}, {"confidence": 1, "accuracy": 1}])
    )
    y = alt.Y("accuracy:Q", scale=scale, title="Accuracy", axis=alt.Axis(format=".0%", tickCount=5))
    tooltip = [
        alt.Tooltip("confidence:Q", title="Confidence", format=".0%"),
        alt.Tooltip("accuracy:Q", title="Accuracy", format=".0%"),
        alt.Tooltip("low:Q", title="At least", format=".0%"),
        alt.Tooltip("high:Q", title="At most", format=".0%"),
        alt.Tooltip("n:Q", title="Audits"),
    ]
    return finish(
        alt.layer(
            diagonal.mark_line(color=QUIET, strokeDash=[4, 4], strokeWidth=1).encode(x=x, y=y),
            base.mark_rule(color=ACCENT, opacity=0.7).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q"),
            base.mark_circle(color=ACCENT, opacity=1).encode(
                y=y, size=alt.Size("n:Q", scale=alt.Scale(range=[30, 260]), legend=None), tooltip=tooltip
            ),
        ),
        270,
        "Reliability diagram",
    )


def confidence_histogram(found: Calibration) -> Chart:
    """The confidence of right and of wrong answers."""
    rows = [
        {
            "from": step.number / CONFIDENCE_BINS,
            "to": (step.number + 1) / CONFIDENCE_BINS,
            "answer": answer,
            "n": n,
        }
        for step in found.steps
        for answer, n in (("right", step.accuracy.k), ("wrong", step.accuracy.n - step.accuracy.k))
    ]
    chart = alt.Chart(alt.Data(values=rows)).mark_bar(stroke=CARD)
    return finish(
        chart.encode(
            x=alt.X("from:Q", bin="binned", title="Confidence", axis=alt.Axis(format=".0%", tickCount=5)),
            x2="to:Q",
            y=alt.Y("n:Q", title="Audits", axis=alt.Axis(tickCount=4)),
            color=alt.Color(
                "answer:N",
                scale=alt.Scale(domain=["right", "wrong"], range=[RIGHT, WRONG]),
                legend=alt.Legend(orient="top", title=None),
            ),
            tooltip=["answer:N", "n:Q"],
        ),
        190,
        "Confidence of right and wrong answers",
    )


def drift_bars(shift: Shift) -> Chart:
    """The distribution of one signal, now and before."""
    rows = [
        {"bin": name, "when": when, "share": share}
        for when, shares in (("now", shift.now), ("before", shift.before))
        for name, share in zip(shift.names, shares, strict=True)
    ]
    chart = alt.Chart(alt.Data(values=rows)).mark_bar(cornerRadius=3)
    return finish(
        chart.encode(
            y=alt.Y("bin:N", sort=list(shift.names), title=None, axis=alt.Axis(ticks=False, domain=False)),
            yOffset=alt.YOffset("when:N", sort=["now", "before"]),
            x=alt.X("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=4)),
            color=alt.Color(
                "when:N",
                scale=alt.Scale(domain=["now", "before"], range=[ACCENT, "#55607A"]),
                legend=alt.Legend(orient="top", title=None),
            ),
            tooltip=["bin:N", "when:N", alt.Tooltip("share:Q", format=".1%")],
        ),
        70 + 30 * len(shift.names),
        shift.title,
    )
