"""What the charts show; rendering them is tested with the report."""

import re
from datetime import date, timedelta

import altair
import pytest
import vl_convert

from tests.analytics.tallies import cell, confidence_bin, confused
from vibecheck.analytics import charts, time_charts
from vibecheck.analytics.accuracy import Point
from vibecheck.analytics.calibration import calibration
from vibecheck.analytics.clip_chart import clip_chart, clip_timeline
from vibecheck.analytics.confusion import confusion
from vibecheck.analytics.drift import Shift
from vibecheck.analytics.shares import share
from vibecheck.emotions import Distribution
from vibecheck.records.stats.results import Day

MONDAY = date(2026, 3, 30)
MOOD = Distribution.of((0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05))
CELLS = cell("sad", "neutral", 19) | cell("sad", "sad", 40) | cell("happy", "happy", 9)


def days(number: int) -> list[Day]:
    return [Day(MONDAY - timedelta(days=i), 2, 1, 1, (0,) * 15) for i in range(number)]


def luminance(colour: str) -> float:
    """Relative luminance, as the contrast of WCAG 2 has it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_confusion_matrix_shades_grow_lighter_and_figures_have_contrast():
    lights = [luminance(shade) for shade in charts.SHADES]
    assert lights == sorted(lights)
    assert (luminance(charts.TEXT) + 0.05) / (luminance(charts.SHADES[3]) + 0.05) > 4.5
    assert (lights[-1] + 0.05) / (luminance("#0D0A22") + 0.05) > 4.5


def test_most_confused_pair_is_marked_and_rows_without_labels_are_left_out():
    rows = charts.confusion_matrix(confusion(CELLS, confused("neutral", "sad", 19, 19)))["data"]["values"]
    assert {(row["label"], row["mood"]) for row in rows if row["top"]} == {("Sad", "Neutral")}
    assert {row["label"] for row in rows} == {"Happy", "Sad"}
    assert next(r["text"] for r in rows if (r["label"], r["mood"]) == ("Sad", "Neutral")) == "32"


def test_a_week_without_answers_has_an_estimate_and_no_accuracy():
    points = [Point(MONDAY - timedelta(days=7), share(0, 0), 9, 0.7), Point(MONDAY, share(3, 4), 9, 0.7)]
    first = time_charts.accuracy_line(points)["data"]["values"][0]
    assert (first["accuracy"], first["low"], first["estimate"]) == (None, None, 0.7)


@pytest.mark.parametrize(
    ("number", "width", "counts"), [(1, 200, 1), (12, 400, 12), (12, 200, 6), (157, 700, 27)]
)
def test_counts_below_the_line_are_thinned_to_fit(number, width, counts):
    points = [Point(MONDAY + timedelta(days=7 * i), share(3, 4), 9, 0.7) for i in range(number)]
    spec = time_charts.accuracy_line(points) | {"width": width}
    assert len(re.findall("<text[^>]*>4</text>", vl_convert.vegalite_to_svg(spec))) == counts


@pytest.mark.parametrize(("number", "step", "bars"), [(30, "day", 30), (400, "week", 58)])
def test_many_days_are_drawn_as_weeks(number, step, bars):
    spec = time_charts.volume(days(number))
    values = spec["data"]["values"]
    assert time_charts.volume_step(days(number)) == step and len(values) == bars
    assert sum(row["n"] for row in values) == 2 * number


@pytest.mark.parametrize(
    "chart",
    [
        time_charts.accuracy_line([]),
        time_charts.accuracy_line(
            [
                Point(MONDAY, share(3, 4), 9, 0.7, share(1, 10)),
                Point(MONDAY + timedelta(7), share(3, 4), 9, 0.7),
            ],
            [(MONDAY + timedelta(3), "embedded-2")],
            agreed=0.4,
        ),
        charts.confusion_matrix(confusion({}, {})),
        charts.confusion_matrix(confusion(CELLS, confused("neutral", "sad", 19, 19))),
        charts.pair_bars(confusion({}, {})),
        charts.pair_bars(confusion(CELLS, confused("neutral", "sad", 19, 19))),
        charts.reliability(calibration([])),
        charts.confidence_histogram(calibration([confidence_bin(3, 1, 0, 0.2)])),
        charts.drift_bars(Shift("Light", ("dark", "bright"), (0.3, 0.7), (0.5, 0.5), 0.2, 0.01)),
        time_charts.volume([]),
        time_charts.volume(days(3)),
        clip_chart([], 0.5, "party.mp4"),
        clip_timeline([(0.0, MOOD), (0.5, None)], 0.5, "Happy throughout"),
    ],
)
def test_every_chart_is_valid_also_when_empty_and_has_a_name(chart):
    assert chart["description"]
    altair.Chart.from_dict(chart)  # raises what Vega-Lite's schema does not allow


def test_random_queue_is_drawn_as_a_line_when_it_has_points():
    plain = [Point(MONDAY + timedelta(days=7 * i), share(3, 4), 9, 0.7) for i in range(3)]
    drawn = [*plain[:2], Point(MONDAY + timedelta(days=14), share(3, 4), 9, 0.7, share(1, 10))]
    fields = [str(time_charts.accuracy_line(points)).count("'drawn'") for points in (plain, drawn)]
    assert fields[1] > fields[0]
    assert time_charts._range(drawn)[0] < 0.1 < time_charts._range(plain)[0]


def test_labeller_agreement_is_a_horizontal_line_within_the_axis():
    points = [Point(MONDAY + timedelta(days=7 * i), share(90, 100), 9, 0.9) for i in range(3)]
    spec = time_charts.accuracy_line(points, agreed=0.41)
    assert {row["agreed"] for row in spec["data"]["values"]} == {0.41} and time_charts.AGREEMENT in str(spec)
    low, high = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low < 0.41 < high
    assert time_charts.AGREEMENT not in str(time_charts.accuracy_line(points))


def test_axis_of_a_single_estimate_is_not_too_narrow():
    point = Point(MONDAY, share(0, 0), 3, 0.954)
    low, high = time_charts.accuracy_line([point])["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low <= 0.954 <= high and high - low > 0.2
