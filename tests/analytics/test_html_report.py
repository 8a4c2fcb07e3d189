"""The report and the figures, over real records with a history."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.harness.history import fill
from vibecheck.analytics.csv_tables import tables
from vibecheck.analytics.html_report import figures, page, sentences
from vibecheck.analytics.overview import ModelStatus, Overview, compute_model_status, compute_overview
from vibecheck.records.csv_safety import to_csv
from vibecheck.records.db.connect import open_database
from vibecheck.records.labels.trainable import TrainableLabels
from vibecheck.records.stats.queries import StatisticsQueries
from vibecheck.records.stats.results import Scope
from vibecheck.vision.manifest import Manifest

NOW = datetime.now(UTC)
TODAY = NOW.date()
CHAMPION = Manifest(version="demo-3", promised_accuracy=0.99)


def status_of(statistics: StatisticsQueries) -> ModelStatus:
    return compute_model_status(statistics, TrainableLabels(statistics._engine), CHAMPION, TODAY)


@pytest.fixture(scope="module")
def statistics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StatisticsQueries]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('records') / 'vibecheck.db'}")
    fill(engine, 4000, 200, NOW, pictured=True)
    yield StatisticsQueries(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def known(statistics: StatisticsQueries) -> tuple[Overview, ModelStatus]:
    return compute_overview(statistics, TODAY, "12 weeks"), status_of(statistics)


def test_the_parts_of_an_overview_agree(known):
    overview, _ = known
    audits = overview.accuracy.audited
    assert overview.confusion.total == overview.calibration.n == audits.n > 100
    assert sum(row[i] for i, row in enumerate(overview.confusion.counts)) == audits.k
    for what in ("Light", "Sharpness", "Face size", "Turn", "Mood shown", "Confidence", "Source"):
        assert sum(s.accuracy.n for s in overview.slices if s.what == what) == audits.n
    assert sum(day.n for day in overview.days) == overview.predictions


def test_the_last_point_of_the_line_is_this_week(statistics):
    week = compute_overview(statistics, TODAY, "week")
    assert week.line[-1].audited == week.accuracy.audited
    assert len(week.line) == 12


def test_filtered_parts_add_up_to_the_whole(statistics):
    everything = compute_overview(statistics, TODAY, "all").accuracy.audited
    parts = [
        compute_overview(statistics, TODAY, "all", source=source).accuracy.audited
        for source in statistics.sources()
    ]
    assert sum(part.n for part in parts) == everything.n
    assert sum(part.k for part in parts) == everything.k


def test_period_ends_today_and_has_its_length(statistics):
    since = TODAY - timedelta(days=6)
    days = statistics.days(Scope(since, TODAY))
    assert compute_overview(statistics, TODAY, "week").predictions == sum(day.n for day in days) > 0
    assert all(since <= day.day <= TODAY for day in days)


def test_the_figures_are_json_with_every_name(known):
    found = json.loads(json.dumps(figures(*known)))
    assert {
        "accuracy",
        "ci_low",
        "ci_high",
        "audits",
        "response_rate",
        "top_confusion",
        "ece",
        "drift",
    } < set(found)
    assert found["ci_low"] < found["accuracy"] < found["ci_high"]
    assert set(found["retrain"]) == {"recommended", "reasons"}
    assert found["retrain"]["recommended"] and any("below 99%" in r for r in found["retrain"]["reasons"])


def test_empty_records_give_null_figures_and_a_readable_report(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'empty.db'}")
    known = (
        compute_overview(StatisticsQueries(engine), TODAY),
        status_of(StatisticsQueries(engine)),
    )
    found = figures(*known)
    assert [found[key] for key in ("accuracy", "ci_low", "top_confusion", "ece")] == [None] * 4
    assert found["audits"] == 0 and found["retrain"]["recommended"] is False
    for text in (" ".join(sentences(*known)), page(*known)):
        assert "?:" not in text
        assert "30 more answers" in text and "0 of 30 faces were labelled by two people" in text
    assert found["agreement"]["labellers"] is None and found["agreement"]["faces"] == 0
    engine.dispose()


def test_report_has_no_external_resources(known):
    text = page(*known)
    assert text.count("<svg") >= 6
    assert "<script" not in text and "url(http" not in text
    links = set(re.findall(r"""(?:src|href)=["']?([^"'> ]+)""", text))
    assert not {link for link in links if not link.startswith("#")}


def test_text_from_the_records_is_escaped_in_the_report(statistics):
    overview = compute_overview(statistics, TODAY, "week", model_version="<script>alert(1)</script>")
    assert "<script" not in page(overview, status_of(statistics))


def test_every_table_comes_as_csv_that_reads_back(known):
    for name, rows in tables(*known).items():
        back = list(csv.DictReader(io.StringIO(to_csv(rows))))
        assert back == [
            {column: "" if value is None else str(value) for column, value in row.items()} for row in rows
        ], name


def test_csv_cell_that_a_spreadsheet_would_execute_is_escaped():
    assert to_csv([{"model": "=HYPERLINK(0)", "n": -3}]) == "model,n\r\n'=HYPERLINK(0),-3\r\n"


def test_doubtful_labels_contradict_a_confident_prediction(known):
    _, status = known
    assert status.labels.suspect_count >= len(status.labels.suspects) > 0
    assert all(s.confidence >= 0.8 and s.label != s.mood for s in status.labels.suspects)
    doubts = [s.label_probability for s in status.labels.suspects]
    assert doubts == sorted(doubts)


def test_three_years_with_gaps_make_a_line_without_gaps(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'long.db'}")
    fill(engine, 300, 3 * 365, NOW)
    for step, most in (("month", 38), ("week", 158), ("day", 1096)):
        points = compute_overview(StatisticsQueries(engine), TODAY, "all", step=step).line
        assert most - 40 < len(points) <= most
        assert sum(point.predictions for point in points) == 300
    engine.dispose()
