"""The report of a training run: each mood, calibration, and the pictures on which the models differ."""

import json
from collections.abc import Sequence

import streamlit as st

from vibecheck.analytics import markup
from vibecheck.analytics.model_comparison import GroupScore
from vibecheck.emotions import BY_NAME
from vibecheck.errors import ModelError
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.report import BothScores, Changed, Report
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
            st.html(_moods(report.scores))
        with trust:
            theme.section("Calibration")
            st.html(_calibration(report.scores))
    for won in (False, True):
        if rows := [each for each in report.changed if each.won == won]:
            _pictures(won, rows)


def report_of(job: TrainingRun) -> Report | None:
    """The run's report, or None if it has no valid one."""
    try:
        return Report.parse(json.dumps(job.report))
    except ModelError:
        return None


def score(seen: Comparison, needed_evidence: float, needed: int | None) -> str:
    """A comparison as a running score: won, lost, same, and the evidence so far."""
    differ = seen.won + seen.lost
    same = seen.n - differ
    if not differ:
        return f'<div class="vcd-detail">So far both are right or wrong on the same {seen.n:,} faces.</div>'
    more = f" About {needed:,} more audits." if needed else ""
    return (
        f'<div class="vcf-duel" role="img" aria-label="won {seen.won}, lost {seen.lost}, same {same}">'
        f'<i style="width:{seen.won / differ:.1%}"></i></div>'
        f'<div class="vcf-ends"><span class="vcd-good">won {seen.won:,}</span><span>same {same:,}</span>'
        f'<span class="vcd-bad">lost {seen.lost:,}</span></div>'
        f'<div class="vcd-detail">{_evidence(seen, needed_evidence)}{more}</div>'
    )


def _evidence(seen: Comparison, needed: float) -> str:
    if seen.evidence is None:  # of a report that an earlier version made
        return ""
    return (
        f"The evidence is {seen.evidence:,.3g}; {needed:,.0f} proves it, however often one looks. "
        f"Difference in accuracy: {seen.low * 100:+.0f} to {seen.high * 100:+.0f} points."
    )


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
        f'<div class="under">points off, {"over" if scores.bias > 0 else "under"}confident</div></div>'
        for role, scores in (("Champion", pair.champion), ("Challenger", pair.challenger))
    )
    return f'<div class="vcf-two">{lines}</div>'


def _pictures(won: bool, rows: Sequence[Changed]) -> None:
    title, who = ("Won", "the challenger is right") if won else ("Lost", "the champion was right")
    several = "s" if len(rows) != 1 else ""
    with st.expander(f"{title}: {len(rows):,} picture{several} on which {who}"):
        st.html(tiles.grid(map(_tile, rows[:TILES])))


def _tile(row: Changed) -> str:
    wrong = row.champion if row.won else row.challenger
    return tiles.tile(row.prediction_id, row.label, f"not {BY_NAME[wrong].title.lower()}")
