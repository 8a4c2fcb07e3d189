"""The report of a training run: each mood, calibration, and the pictures on which the models differ."""

import json
from collections.abc import Sequence

import streamlit as st

from vibecheck.emotions import BY_NAME
from vibecheck.errors import ModelError
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.evidence import threshold
from vibecheck.evaluation.report import BothScores, Changed, Report
from vibecheck.training.runs_table import TrainingRun
from vibecheck.ui.fine_tune import tiles
from vibecheck.ui.shared import theme

# Pictures shown of those won, and of those lost.
TILES = 12


def details(job: TrainingRun) -> None:
    """The report below the verdict; nothing where there is none."""
    report = report_of(job)
    if report is None:
        return
    st.html(_duel(report.held_out, report.attempt))
    if report.reference:
        st.html(_reference(report.reference))
    if report.scores:
        moods, trust = st.columns([1.6, 1], gap="medium")
        with moods:
            theme.section("By mood", "bar: challenger · mark: champion")
            st.html(_moods(report.scores))
        with trust:
            theme.section("Calibration")
            st.html(_calibration(report.scores))
    for title, rows in (
        ("Lost", [each for each in report.changed if not each.won]),
        ("Won", [each for each in report.changed if each.won]),
    ):
        if rows:
            _pictures(title, rows)


def report_of(job: TrainingRun) -> Report | None:
    """The run's report, or None where it has no valid one."""
    if job.report is None:
        return None
    try:
        return Report.parse(json.dumps(job.report))
    except ModelError:
        return None


def _duel(held_out: Comparison, attempt: int) -> str:
    differ = held_out.won + held_out.lost
    if not differ:
        return '<div class="vcd-detail">Both are right on the same pictures.</div>'
    return (
        f'<div class="vcf-duel" role="img" aria-label="won {held_out.won}, lost {held_out.lost}">'
        f'<i style="width:{held_out.won / differ:.1%}"></i></div>'
        f'<div class="vcf-ends"><span class="vcd-good">won {held_out.won:,}</span>'
        f'<span class="vcd-bad">lost {held_out.lost:,}</span></div>'
        f'<div class="vcd-detail">{_evidence(held_out, threshold(attempt))}</div>'
    )


def _evidence(held_out: Comparison, needed: float) -> str:
    if held_out.evidence is None:  # of a report that an earlier version made
        return ""
    return (
        f"The evidence is {held_out.evidence:,.3g}; {needed:,.0f} proves it, however often one looks. "
        f"Difference in accuracy: {held_out.low * 100:+.0f} to {held_out.high * 100:+.0f} points."
    )


def _reference(found: Comparison) -> str:
    change = (found.challenger - found.champion) / found.n * 100 if found.n else 0.0
    return (
        f'<div class="vcd-detail">On the reference set of {found.n:,} pictures: {found.challenger:,} right, '
        f"the champion {found.champion:,} ({change:+.1f} points).</div>"
    )


def _moods(pair: BothScores) -> str:
    rows = []
    for emotion, n, before, after in pair.by_mood():
        if not n:
            continue
        text = f"{emotion.title}: {after} of {n} recognised, by the champion {before}"
        kind = "good" if after > before else "bad" if after < before else ""
        change = f"{after - before:+d}" if after != before else "="
        rows.append(
            f'<span class="vcd-name">{emotion.emoji} {emotion.title}</span>'
            f'<span class="vcd-strip" role="img" aria-label="{text}" title="{text}">'
            f'<i style="left:0;width:{after / n:.1%};background:{emotion.colour}"></i>'
            f'<b style="left:{before / n:.1%}"></b></span>'
            f'<span class="vcd-value">{after / n:.0%}</span>'
            f'<span class="vcd-n"><span class="vcd-{kind}">{change}</span> of {n:,}</span>'
        )
    return f'<div class="vcd-slices">{"".join(rows)}</div>'


def _calibration(pair: BothScores) -> str:
    lines = "".join(
        f'<div class="vcf-side"><div class="name">{role}</div><div class="value">{scores.ece * 100:.1f}</div>'
        f'<div class="under">points off, {_direction(scores.bias)}</div></div>'
        for role, scores in (("Champion", pair.champion), ("Challenger", pair.challenger))
    )
    return f'<div class="vcf-two">{lines}</div>'


def _direction(bias: float) -> str:
    return "overconfident" if bias > 0 else "underconfident"


def _pictures(title: str, rows: Sequence[Changed]) -> None:
    who = "the champion was right" if title == "Lost" else "the challenger is right"
    several = "s" if len(rows) != 1 else ""
    with st.expander(f"{title}: {len(rows):,} picture{several} on which {who}"):
        st.html(tiles.grid([_tile(row) for row in rows[:TILES]]))


def _tile(row: Changed) -> tiles.Tile:
    wrong = row.champion if row.won else row.challenger
    return tiles.Tile(row.prediction_id, row.label, f"not {BY_NAME[wrong].title.lower()}")
