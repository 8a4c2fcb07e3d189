"""The parts that all charts are built from, and their colours, axes and background.

A chart is a Vega-Lite specification (<https://vega.github.io/vega-lite/docs/>) as a dict. Altair would take
some 25 ms to build and check each, and the live video of others waits for that.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

TEXT, QUIET, GRID, CARD = "#F2F4F8", "#98A2B3", "#2A3040", "#161A23"
ACCENT, WARM = "#8E7BFF", "#FFC94D"
# Blue and orange for right and wrong: distinguishable with any colour vision.
RIGHT, WRONG = "#6EA8FF", "#FF9F5A"
Spec: TypeAlias = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
TYPES = {"N": "nominal", "Q": "quantitative", "T": "temporal"}
CONFIG: Spec = {
    "view": {"stroke": None},
    "axis": {
        "labelColor": QUIET, "titleColor": QUIET, "gridColor": GRID, "domainColor": GRID, "tickColor": GRID,
        "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "titlePadding": 8,
    },
    "legend": {"labelColor": QUIET, "symbolType": "square"},
}  # fmt: skip


def chart(
    name: str, height: int, rows: Iterable[Mapping[str, Any]] | None, encoding: Spec, *layers: Spec
) -> Spec:
    """Layers over the same rows, the last on top; all share `encoding`. None: the page adds the rows.

    As wide as its container and `height` px high; `name` is its description for screen readers.
    """
    data = {} if rows is None else {"data": {"values": list(rows)}}
    look = {"width": "container", "height": height, "background": "transparent", "config": CONFIG}
    return {"$schema": SCHEMA, "description": name, **look, **data, "encoding": encoding, "layer": [*layers]}


def layer(mark: str, encoding: Spec | None = None, **options: Any) -> Spec:
    """One layer of a chart: a mark such as "bar", what it encodes, and its options."""
    return {"mark": {"type": mark, **options}, "encoding": encoding or {}}


def field(shorthand: str, **options: Any) -> Spec:
    """Encodes a field, in Altair's shorthand: "share:Q" is quantitative, N nominal, T temporal."""
    name, _, kind = shorthand.partition(":")
    return {"field": name, "type": TYPES[kind], **options}


def colours(shorthand: str, by_value: Mapping[str, str], **legend: Any) -> Spec:
    """Encodes a field as colour, each value in its own; the legend has no title."""
    scale = {"domain": list(by_value), "range": list(by_value.values())}
    return field(shorthand, scale=scale, legend={"title": None, **legend})


def either(test: str, then: Any, otherwise: Any) -> Spec:
    """One value where the expression `test` is true, and another where it is not."""
    return {"condition": {"test": test, "value": then}, "value": otherwise}
