"""Statistics → charts: confusion, calibration, drift."""

from vibecheck.analytics.calibration import Calibration
from vibecheck.analytics.chart_style import (
    ACCENT,
    CARD,
    QUIET,
    RIGHT,
    TEXT,
    WARM,
    WRONG,
    Spec,
    chart,
    colours,
    either,
    field,
    layer,
)
from vibecheck.analytics.confusion import Confusion
from vibecheck.analytics.drift import Shift
from vibecheck.emotions import EMOTIONS, NAMES
from vibecheck.records.stats.bins import CONFIDENCE_BINS

# One hue from dark to light: it reads the same with any colour vision, and in grey.
SHADES = ["#1A2830", "#214049", "#2B5A60", "#357577", "#409192", "#4CC2C4"]

PICK = "cell"
PAIRS = 6  # of the most confused moods
TITLES = [emotion.title for emotion in EMOTIONS]


def confusion_matrix(found: Confusion) -> Spec:
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
    axis = {"labelColor": QUIET, "ticks": False, "domain": False, "grid": False, "labelPadding": 6}
    moods = {"sort": TITLES, "scale": {"domain": TITLES, "paddingInner": 0.06}}
    across = {**axis, "orient": "top", "labelAngle": -40, "labelOverlap": False}
    encoding = {
        "x": field("mood:N", title="What was shown", axis=across, **moods),
        "y": field("label:N", title="What people said", axis=axis, **moods),
        "tooltip": [
            field("label:N", title="People said"),
            field("mood:N", title="Shown"),
            field("count:Q", title="Answers"),
            field("share:Q", title="Of the row", format=".0%"),
        ],
    }
    cells = {
        "color": field("share:Q", scale={"range": SHADES, "domain": [0, 1]}, legend=None),
        "stroke": either("datum.top", WARM, CARD),
        "strokeWidth": either("datum.top", 2, 0),
    }
    pick = {"name": PICK, "select": {"type": "point", "fields": ["label", "mood"]}}
    figures = {"text": field("text:N"), "color": either("datum.light", "#0D0A22", TEXT)}
    return chart(
        "Confusion matrix",
        330,
        rows,
        encoding,
        layer("rect", cells, cornerRadius=6, cursor="pointer") | {"params": [pick]},
        layer("text", figures, fontSize=12),
    )


def pair_bars(found: Confusion) -> Spec:
    """The most confused pairs, with the interval of their share of all mistakes."""
    rows = [
        {
            "pair": f"{pair.first.title()} and {pair.second}",
            **pair.of_mistakes.named("share"),
            "count": pair.of_mistakes.k,
        }
        for pair in found.pairs[:PAIRS]
    ]
    encoding = {
        "y": field(
            "pair:N", sort="-x", title=None, axis={"ticks": False, "domain": False, "labelLimit": 200}
        ),
        "tooltip": [
            field("pair:N", title="Pair"),
            field("count:Q", title="Mistakes"),
            field("low:Q", title="At least", format=".0%"),
            field("high:Q", title="At most", format=".0%"),
        ],
    }
    share = field("share:Q", title="Share of all mistakes", axis={"format": ".0%", "tickCount": 4})
    interval = {"x": field("low:Q"), "x2": {"field": "high"}}
    return chart(
        "Most confused pairs",
        60 + 30 * len(rows),
        rows,
        encoding,
        layer("bar", {"x": share}, color="#409192", cornerRadius=4, height=14),
        layer("rule", interval, color=TEXT, strokeWidth=1.5),
    )


def reliability(found: Calibration) -> Spec:
    """Accuracy by confidence; on the dashed diagonal the two are equal."""
    rows = [
        {"confidence": step.confidence, **step.accuracy.named("accuracy"), "n": step.accuracy.n}
        for step in found.steps
    ]
    diagonal = {"values": [{"confidence": 0, "accuracy": 0}, {"confidence": 1, "accuracy": 1}]}
    scale = {"domain": [0, 1]}
    shares = {"scale": scale, "axis": {"format": ".0%", "tickCount": 5}}
    accuracy = field("accuracy:Q", title="Accuracy", **shares)
    interval = {"y": field("low:Q", scale=scale), "y2": {"field": "high"}}
    dots = {
        "y": accuracy,
        "size": field("n:Q", scale={"range": [30, 260]}, legend=None),
        "tooltip": [
            field("confidence:Q", title="Confidence", format=".0%"),
            field("accuracy:Q", title="Accuracy", format=".0%"),
            field("low:Q", title="At least", format=".0%"),
            field("high:Q", title="At most", format=".0%"),
            field("n:Q", title="Audits"),
        ],
    }
    return chart(
        "Reliability diagram",
        270,
        rows,
        {"x": field("confidence:Q", title="Confidence", **shares)},
        layer("line", {"y": accuracy}, color=QUIET, strokeDash=[4, 4], strokeWidth=1) | {"data": diagonal},
        layer("rule", interval, color=ACCENT, opacity=0.7),
        layer("circle", dots, color=ACCENT, opacity=1),
    )


def confidence_histogram(found: Calibration) -> Spec:
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
    encoding = {
        "x": field("from:Q", bin="binned", title="Confidence", axis={"format": ".0%", "tickCount": 5}),
        "x2": {"field": "to"},
        "y": field("n:Q", title="Audits", axis={"tickCount": 4}),
        "color": colours("answer:N", {"right": RIGHT, "wrong": WRONG}, orient="top"),
        "tooltip": [field("answer:N"), field("n:Q")],
    }
    return chart("Confidence of right and wrong answers", 190, rows, encoding, layer("bar", stroke=CARD))


def drift_bars(shift: Shift) -> Spec:
    """The distribution of one signal, now and before."""
    rows = [
        {"bin": name, "when": when, "share": share}
        for when, shares in (("now", shift.now), ("before", shift.before))
        for name, share in zip(shift.names, shares, strict=True)
    ]
    encoding = {
        "y": field("bin:N", sort=list(shift.names), title=None, axis={"ticks": False, "domain": False}),
        "yOffset": field("when:N", sort=["now", "before"]),
        "x": field("share:Q", title=None, axis={"format": ".0%", "tickCount": 4}),
        "color": colours("when:N", {"now": ACCENT, "before": "#55607A"}, orient="top"),
        "tooltip": [field("bin:N"), field("when:N"), field("share:Q", format=".1%")],
    }
    return chart(shift.title, 70 + 30 * len(shift.names), rows, encoding, layer("bar", cornerRadius=3))
