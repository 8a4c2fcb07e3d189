"""The report of a training run: each mood, calibration, and the pictures on which the models differ."""

import json
from collections.abc import Sequence

import streamlit as st

from vibecheck.analytics import comparison_markup, markup
from vibecheck.analytics.model_comparison import GroupScore
from vibecheck.emotions import BY_NAME
from vibecheck.errors import ModelError
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.report import Changed, Report
from vibecheck.training.runs_table import TrainingRun
from vibecheck.ui.fine_tune import tiles
from vibecheck.ui.shared import theme

# Pictures shown of those won, and of those lost.
TILES = 12


def details(report: Report) -> None:
    """The report below the verdict."""
    if report.reference:
        st.html(_reference(report.reference))
    if report.scores:
        moods, trust = st.columns([1.6, 1], gap="medium")
        with moods:
            theme.section("By mood", "bar: challenger · mark: champion")
            st.html(comparison_markup.moods(report.scores))
        with trust:
            theme.section("Calibration")
            st.html(comparison_markup.calibrations(report.scores))
    for won in (False, True):
        if rows := [each for each in report.changed if each.won == won]:
            _pictures(won, rows)


def report_of(job: TrainingRun) -> Report | None:
    """The run's report, or None if it has no valid one."""
    try:
        return Report.parse(json.dumps(job.report))
    except ModelError:
        return None


def groups(title: str, found: Sequence[GroupScore]) -> None:
    """The score in each mood or error slice, behind a button."""
    rows = [(each.name, f"{each.n:,}", f"{each.won:,}", f"{each.lost:,}") for each in found]
    with st.expander(title):
        st.html(markup.table(("", "Labels", "Won", "Lost"), rows))


def _reference(found: Comparison) -> str:
    change = (found.challenger - found.champion) / found.n * 100 if found.n else 0.0
    return (
        f'<div class="vcd-detail">On the reference set of {found.n:,} pictures: {found.challenger:,} right, '
        f"the champion {found.champion:,} ({change:+.1f} points).</div>"
    )


def _pictures(won: bool, rows: Sequence[Changed]) -> None:
    title, who = ("Won", "the challenger is right") if won else ("Lost", "the champion was right")
    several = "s" if len(rows) != 1 else ""
    with st.expander(f"{title}: {len(rows):,} picture{several} on which {who}"):
        st.html(tiles.grid(map(_tile, rows[:TILES])))


def _tile(row: Changed) -> str:
    wrong = row.champion if row.won else row.challenger
    return tiles.tile(row.prediction_id, row.label, f"not {BY_NAME[wrong].title.lower()}")
