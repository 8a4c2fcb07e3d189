"""Training runs: the one in progress, live, and the list of past ones."""

import math
from html import escape
from typing import Any

import streamlit as st
from pandas import DataFrame

from vibecheck.analytics import markup
from vibecheck.analytics import training_curves as curves
from vibecheck.analytics.words import written_time
from vibecheck.errors import RecordsError
from vibecheck.training_runs.runs_table import TrainingRun
from vibecheck.ui.fine_tune.start_run import written_minutes
from vibecheck.ui.fine_tune.state import FineTuneState
from vibecheck.ui.shared import app, theme
from vibecheck.ui.shared.presses import once

POLL_SECONDS = 1.0
# Seconds without an update after which the page says so.
SILENT = 40
STAGES = {"head": "Training the last layer", "all": "Training all layers"}


def live(known: FineTuneState) -> None:
    """The run in progress, if there is one; the page reruns when it ends."""
    if known.running:
        with st.container(key="card-run"):
            _live(known.running.id)


@st.fragment(run_every=POLL_SECONDS)
def _live(run_id: str) -> None:
    try:
        run = app.runs().running()
    except RecordsError as error:
        st.error(str(error), icon="⚠️")
        return
    if run is None or run.id != run_id:
        st.rerun()
    progress = run.progress
    words, button = st.columns([4, 1], vertical_alignment="center")
    with words:
        theme.section(_stage(run), _where(run))
    with button:
        st.button(
            "Cancelling …" if run.cancelling else "Cancel",
            key="ft-cancel",
            disabled=run.cancelling,
            width="stretch",
            on_click=once(app.runs().cancel),
            args=[run.id],
        )
    st.progress(progress.done, text=_left(run))
    loss, accuracy = st.columns(2, gap="medium")
    with loss:
        theme.section("Loss", "on the training set")
        _curve(curves.loss_points(progress.losses), curves.loss_curve(), "ft-loss", "Not yet.")
    with accuracy:
        theme.section("Accuracy", "on the validation set · dashed: balanced")
        rows = [(e.stage, e.accuracy, e.balanced_accuracy) for e in progress.epochs if e.accuracy is not None]
        points = curves.accuracy_points(rows)
        _curve(points, curves.accuracy_curve(), "ft-accuracy", "From the second epoch on.")
    st.html(_facts(run))
    with st.expander("Log"):
        st.code(app.runs().log(run) or "It is empty so far.", language=None, height=220)


def _curve(points: DataFrame, drawn: dict[str, Any], key: str, begins: str) -> None:
    """Drawn once, then only updated with new points, so that it does not flicker."""
    if len(points) < 2:  # a chart first drawn without points stays empty
        st.html(f'<div class="vcf-wait">{begins}</div>')
        return
    theme.chart(drawn, points, key=key)


def _stage(run: TrainingRun) -> str:
    if run.cancelling:
        return "Cancelling"
    stage = STAGES.get(run.progress.stage, run.progress.stage)
    return stage[:1].upper() + stage[1:]


def _where(run: TrainingRun) -> str:
    silent = f" · no update for {run.age.seconds} s" if run.age.total_seconds() > SILENT else ""
    return f"from {run.asked.get('base', '?')} · on {run.host}{silent}"


def _left(run: TrainingRun) -> str:
    step = run.progress.step
    parts = []
    if step and step.of:
        parts.append(f"Epoch {min(max(1, math.ceil(step.epoch)), step.of):.0f} of {step.of:.0f}")
    parts.append(f"{run.progress.done:.0%}")
    if step and step.minutes_left is not None:
        parts.append(f"about {written_minutes(step.minutes_left)} left")
    return " · ".join(parts)


def _facts(run: TrainingRun) -> str:
    """The sizes of its data sets, in a line."""
    found, started = run.progress.collected, run.progress.started
    if found is None:
        return '<div class="vcf-facts"><span>Collecting labels.</span></div>'
    parts = [
        (found.train, "to train on"),
        (found.validation, "for validation"),
        (found.held_out, "held out"),
        (found.judging, "of them for judging"),
    ]
    spans = [f"<span><b>{n:,}</b> {what}</span>" for n, what in parts]
    if left_out := sum(found.left_out.values()):
        why = ", ".join(f"{n:,} {escape(reason.replace('_', ' '))}" for reason, n in found.left_out.items())
        spans.append(f'<span title="{why}"><b>{left_out:,}</b> left out</span>')
    if started and started.device:
        spans.append(f"<span>on <b>{escape(started.device)}</b></span>")
    return f'<div class="vcf-facts">{"".join(spans)}</div>'


def past(known: FineTuneState) -> None:
    """Past runs, newest first."""
    ended = [run for run in known.runs if not run.running]
    if not ended:
        return
    with theme.card("runs", "Past runs"):
        st.html(markup.table(("Started", "From", "Took", "Outcome"), map(_row, ended)))
        with st.expander("Logs"):
            chosen = st.selectbox(
                "Run", ended, format_func=lambda run: f"{written_time(run.started_at)} · {run.state}"
            )
            st.code(app.runs().log(chosen) or "Its log is empty.", language=None, height=260)


def _row(run: TrainingRun) -> tuple[str, ...]:
    took = (run.ended_at - run.started_at).total_seconds() / 60 if run.ended_at else 0.0
    ended = f"{run.state}: {run.sentence}"
    return written_time(run.started_at), str(run.asked.get("base", "")), written_minutes(took), ended
