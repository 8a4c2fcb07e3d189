"""The verdict on the last run: challenger against champion, and what to do with the challenger."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from vibecheck.analytics import comparison_markup, markup
from vibecheck.analytics.model_comparison import GroupScore
from vibecheck.emotions import BY_NAME
from vibecheck.errors import ModelError
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.evidence import threshold
from vibecheck.evaluation.proof import Verdict, refusal
from vibecheck.evaluation.report import Changed, Report
from vibecheck.models.promotion import Trial
from vibecheck.models.version import Version
from vibecheck.text.plurals import counted
from vibecheck.training_runs.runs_table import CANCELLED, FINISHED, TrainingRun
from vibecheck.ui.fine_tune import tiles
from vibecheck.ui.fine_tune.state import FineTuneState
from vibecheck.ui.shared import app, comparisons, theme
from vibecheck.ui.shared.presses import once

TILES = 12  # pictures shown of those won, and of those lost


def last(known: FineTuneState) -> None:
    """The outcome of the last run, until somebody decides or dismisses it."""
    run = known.runs[0] if known.runs else None
    if run is None or run.running or run.id in st.session_state.setdefault("ft-dismissed", set()):
        return
    if run.state != FINISHED:
        _unfinished(run)
        return
    finished = run.progress.finished
    version = next((each for each in known.versions if finished and each.version == finished.version), None)
    if version and version.undecided:
        with st.container(key="card-verdict"):
            verdict(known, version, run)


def _unfinished(run: TrainingRun) -> None:
    how = "was cancelled" if run.state == CANCELLED else "failed"
    with theme.card("verdict", f"The last run {how}"):
        theme.plain(run.sentence)
        if log := app.runs().log(run):
            with st.expander("End of its log"):
                st.code(log, language=None, height=260)
        st.button("Dismiss", key="ft-dismiss", on_click=once(_dismiss), args=[run.id])


def verdict(known: FineTuneState, challenger: Version, run: TrainingRun | None) -> None:
    """Champion and challenger side by side, the score so far, and the three decisions."""
    version, proof, champion = challenger.version, challenger.proof, known.champion.version
    trial = next((each for each in known.trials if each.version == version), None)
    report = _report_of(run) if run else None
    valid = proof if proof and proof.against == champion else None
    # If it was proved on more labels than the records have, such as those of a file, that score is shown.
    live = trial if trial and trial.seen.n and (valid is None or trial.seen.n >= valid.n) else None
    theme.section("Verdict", f"on {version}")
    proved = bool((trial and trial.verdict.proved) or (valid and valid.proved))
    if live or valid:
        theme.heading("Proved better" if proved else "Not proved better")
    elif proof:  # another champion runs by now
        theme.heading(f"{'Proved' if proof.proved else 'Not proved'} better than {proof.against}")
    else:
        theme.heading("Not judged yet")
        theme.plain(
            "No label covers both it and the champion yet. More come in as people answer “Was this right?”; "
            f"python -m finetune judge {version} lets it read the kept pictures."
        )
    if live:
        theme.plain(_reason(live.verdict))
        st.html(comparison_markup.accuracies(live.against, version, live.seen))
        st.html(comparison_markup.score(live.seen, live.threshold, live.verdict.needed))
        moods = [replace(each, name=BY_NAME[each.name].title) for each in live.moods]
        _groups("Score by mood", moods)
        _groups("Score by error slice", live.slices)
    elif proof:
        theme.plain(_reason(proof))
        if proof.n:
            st.html(comparison_markup.accuracies(proof.against, version, proof))
        if report:
            proves = threshold(report.attempt)
            st.html(comparison_markup.score(report.held_out, proves, report.needed))
    if report:
        _details(report)
    refused = refusal(version, challenger.metrics, champion)
    _actions(challenger, run, trial if trial and trial.verdict.proved else None, refused)


def _reason(found: Verdict) -> str:
    if found.proved or not found.needed:
        return found.reason
    return (
        f"{found.reason} Audits come in as people answer “Was this right?”; labels from the random queue on "
        "Corrections count too."
    )


def _details(report: Report) -> None:
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


def _report_of(run: TrainingRun) -> Report | None:
    """The run's report, or None if it has no valid one."""
    try:
        return Report.parse(json.dumps(run.report))
    except ModelError:
        return None


def _groups(title: str, found: Sequence[GroupScore]) -> None:
    """The score in each mood or error slice, behind a button."""
    rows = [(each.name, f"{each.n:,}", f"{each.won:,}", f"{each.lost:,}") for each in found]
    with st.expander(title):
        st.html(markup.table(("Group", "Labels", "Won", "Lost"), rows))


def _reference(found: Comparison) -> str:
    change = (found.challenger - found.champion) / found.n * 100 if found.n else 0.0
    pictures = counted(found.n, "picture")
    return (
        f'<div class="vcd-detail">On the reference set of {pictures}: {found.challenger:,} right, '
        f"the champion {found.champion:,} ({change:+.1f} points).</div>"
    )


def _pictures(won: bool, rows: Sequence[Changed]) -> None:
    title, who = ("Won", "the challenger is right") if won else ("Lost", "the champion was right")
    with st.expander(f"{title}: {counted(len(rows), 'picture')} on which {who}"):
        st.html(tiles.grid(map(_tile, rows[:TILES])))


def _tile(row: Changed) -> str:
    wrong = row.champion if row.won else row.challenger
    return tiles.tile(row.prediction_id, row.label, f"not {BY_NAME[wrong].title.lower()}")


def _actions(challenger: Version, run: TrainingRun | None, proved: Trial | None, refused: str | None) -> None:
    version, proof = challenger.version, challenger.proof
    with st.container(horizontal=True, key="ft-actions"):
        if proved is not None:
            comparisons.promote_button(proved, "ft-promote")
        elif refused is None and proof is not None and proof.proved:
            st.button(
                "Promote", type="primary", key="ft-promote", on_click=once(comparisons.promote),
                args=[version, proof.reason],
            )  # fmt: skip
        else:
            with st.popover("Promote without proof …"):
                why = st.text_area(
                    "Reason", key="ft-why", max_chars=500,
                    help="It is kept with the promotion.",
                )  # fmt: skip
                if st.button("Promote", key="ft-override"):
                    _override(version, why)
        if run:
            st.button(
                "Keep for later", key="ft-keep", on_click=once(_dismiss), args=[run.id],
                help="It stays in the list of versions and can be promoted from there.",
            )  # fmt: skip
        st.button("Discard", key="ft-discard", on_click=once(_discard), args=[version])
        html = run and app.runs().folder(run.id).report_html()
        if html:
            st.download_button(
                "Report", html, f"{version.replace('/', '-')}-report.html", "text/html",
                icon=":material/description:", key="ft-report", on_click="ignore",
            )  # fmt: skip


def _override(version: str, why: str) -> None:
    if not why.strip():
        st.toast("Give a reason first.", icon="✋")
        return
    once(comparisons.promote)(version, why.strip(), override=True)
    st.rerun()


def _discard(version: str) -> None:
    app.registry().discard(version, datetime.now(UTC))


def _dismiss(run_id: str) -> None:
    st.session_state.setdefault("ft-dismissed", set()).add(run_id)
