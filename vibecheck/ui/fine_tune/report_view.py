"""The report of a run on the page: each mood, calibration, and the pictures that changed sides."""

import json
from collections.abc import Sequence
from html import escape

import streamlit as st

from vibecheck.emotions import BY_NAME
from vibecheck.errors import ModelError, RecordsError
from vibecheck.evaluation.report import Changed, Pair, Report, Tally
from vibecheck.training.runs_table import Job
from vibecheck.ui.shared import app, face_pictures

# Pictures shown of those that were won, and of those that were lost.
TILES = 12


def details(job: Job) -> None:
    """What the report says beside the verdict; nothing where there is none."""
    report = report_of(job)
    if report is None:
        return
    st.html(_duel(report.held_out))
    if report.reference:
        st.html(_reference(report.reference))
    if report.scores:
        moods, trust = st.columns([1.6, 1], gap="medium")
        with moods:
            st.html('<h2 class="vcd-title">Mood by mood <span>bar: challenger · mark: champion</span></h2>')
            st.html(_moods(report.scores))
        with trust:
            st.html('<h2 class="vcd-title">Can its confidence be trusted?</h2>')
            st.html(_calibration(report.scores))
    for title, rows in (
        ("Lost", [each for each in report.changed if not each.won]),
        ("Won", [each for each in report.changed if each.won]),
    ):
        if rows:
            _pictures(title, rows)


def report_of(job: Job) -> Report | None:
    """The run's report, or None where it has none that can be read."""
    if job.report is None:
        return None
    try:
        return Report.parse(json.dumps(job.report))
    except ModelError:
        return None


def _duel(held_out: Tally) -> str:
    differ = held_out.won + held_out.lost
    if not differ:
        return '<div class="vcd-detail">They never differ in being right.</div>'
    return (
        f'<div class="vcf-duel" role="img" aria-label="won {held_out.won}, lost {held_out.lost}">'
        f'<i style="width:{held_out.won / differ:.1%}"></i></div>'
        f'<div class="vcf-ends"><span class="vcd-good">won {held_out.won:,}</span>'
        f'<span class="vcd-bad">lost {held_out.lost:,}</span></div>'
        f'<div class="vcd-detail">Were both equally good, so many wins or more would come by chance in '
        f"{held_out.p:.1%} of trials (p = {held_out.p:.3g}).</div>"
    )


def _reference(found: Tally) -> str:
    change = (found.challenger - found.champion) / found.n * 100 if found.n else 0.0
    return (
        f'<div class="vcd-detail">On the reference set of {found.n:,} pictures: {found.challenger:,} right, '
        f"the champion {found.champion:,} ({change:+.1f} points).</div>"
    )


def _moods(pair: Pair) -> str:
    rows = []
    for emotion, n, before, after in pair.by_mood():
        if not n:
            continue
        spoken = f"{emotion.title}: {after} of {n} recognised, by the champion {before}"
        kind = "good" if after > before else "bad" if after < before else ""
        change = f"{after - before:+d}" if after != before else "="
        rows.append(
            f'<span class="vcd-name">{emotion.emoji} {emotion.title}</span>'
            f'<span class="vcd-strip" role="img" aria-label="{spoken}" title="{spoken}">'
            f'<i style="left:0;width:{after / n:.1%};background:{emotion.colour}"></i>'
            f'<b style="left:{before / n:.1%}"></b></span>'
            f'<span class="vcd-value">{after / n:.0%}</span>'
            f'<span class="vcd-n"><span class="vcd-{kind}">{change}</span> of {n:,}</span>'
        )
    return f'<div class="vcd-slices">{"".join(rows)}</div>'


def _calibration(pair: Pair) -> str:
    lines = "".join(
        f'<div class="vcf-side"><div class="name">{role}</div><div class="value">{scores.ece * 100:.1f}</div>'
        f'<div class="under">points off, {"too sure" if scores.bias > 0 else "not sure enough"}</div></div>'
        for role, scores in (("Champion", pair.champion), ("Challenger", pair.challenger))
    )
    return f'<div class="vcf-two">{lines}</div>'


def _pictures(title: str, rows: Sequence[Changed]) -> None:
    who = "the champion was right" if title == "Lost" else "the challenger is right"
    several = "s" if len(rows) != 1 else ""
    with st.expander(f"{title}: {len(rows):,} picture{several} on which {who}"):
        st.html(f'<div class="vcf-tiles">{"".join(map(_tile, rows[:TILES]))}</div>')


def _tile(row: Changed) -> str:
    label = BY_NAME[row.label]
    wrong = row.champion if row.won else row.challenger
    words = f"not {BY_NAME[wrong].title.lower()}"
    face = f'<span class="vc-emoji" role="img" aria-label="No picture">{label.emoji}</span>'
    try:
        if source := face_pictures.data_uri(app.store().get(row.prediction_id), face_pictures.THUMBNAIL):
            face = f'<img src="{source}" alt="{label.title}">'
    except RecordsError:  # deleted since, or imported elsewhere
        pass
    return (
        f'<figure title="{escape(row.prediction_id)}">{face}<figcaption style="color:{label.colour}">'
        f"{label.title}<small>{words}</small></figcaption></figure>"
    )
