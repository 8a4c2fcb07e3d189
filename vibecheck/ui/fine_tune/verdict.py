"""The verdict on the last run: challenger against champion, and what to do with the challenger."""

from datetime import UTC, datetime
from html import escape

import streamlit as st

from vibecheck.analytics.shares import Share, share
from vibecheck.analytics.words import interval
from vibecheck.errors import ModelError, RecordsError
from vibecheck.evaluation.proof import Proof, refusal
from vibecheck.models.registry import CHAMPION, PREVIOUS, Entry
from vibecheck.training.runs import log_of
from vibecheck.training.runs_table import CANCELLED, FINISHED, TrainingRun
from vibecheck.ui.fine_tune import report_view
from vibecheck.ui.fine_tune.state import FineTuneState
from vibecheck.ui.shared import app, theme
from vibecheck.ui.shared.presses import once

HEADLINES = {FINISHED: "Ready", CANCELLED: "The last run was cancelled"}


def last(known: FineTuneState) -> None:
    """The outcome of the last run, until it is decided on or dismissed."""
    job = known.runs[0] if known.runs else None
    if job is None or job.running or job.id in st.session_state.setdefault("ft-dismissed", set()):
        return
    if job.state != FINISHED:
        _unfinished(job)
        return
    finished = job.progress.finished
    entry = known.entry(finished.version) if finished else None
    if entry and entry.discarded_at is None and not {CHAMPION, PREVIOUS} & set(entry.aliases):
        with st.container(key="card-verdict"):
            verdict(known, entry, job)


def _unfinished(job: TrainingRun) -> None:
    with st.container(key="card-verdict"):
        theme.section(HEADLINES.get(job.state, "The last run failed"))
        theme.plain(job.sentence)
        if log := log_of(app.jobs(), job):
            with st.expander("End of its log"):
                st.code(log, language=None, height=260)
        st.button("Dismiss", key="ft-dismiss", on_click=once(_dismiss), args=[job.id])


def verdict(known: FineTuneState, entry: Entry, job: TrainingRun | None) -> None:
    """Champion and challenger side by side, and the three decisions."""
    version, proof = entry.version.version, entry.version.proof
    champion = known.champion.version.version if known.champion else None
    theme.section("Verdict", f"on {version}")
    if proof is None:
        theme.heading("Not judged yet")
        theme.plain(f"It has not been compared with the champion: run python -m finetune judge {version}.")
    else:
        theme.heading("Proved better" if proof.proved else "Not proved better")
        theme.plain(_reason(proof))
        if proof.n:
            st.html(sides(proof, version))
    if job:
        report_view.details(job)
    _actions(entry, job, refusal(version, entry.version.metrics, champion))


def _reason(proof: Proof) -> str:
    if proof.proved or not proof.needed:
        return proof.reason
    return (
        f"{proof.reason} Audits come in as people answer “Was this right?”; labels from the random queue on "
        "Corrections count too."
    )


def sides(proof: Proof, version: str) -> str:
    """Two models' accuracy on the same held-out labels."""
    both = (
        (proof.against, "Champion", share(proof.champion, proof.n)),
        (version, "Challenger", share(proof.challenger, proof.n)),
    )
    return f'<div class="vcf-two">{"".join(_side(*each) for each in both)}</div>'


def _side(version: str, role: str, right: Share) -> str:
    return (
        f'<div class="vcf-side"><div class="name" title="{escape(version)}">{role} · {escape(version)}</div>'
        f'<div class="value">{right.value:.0%} <span class="vcd-interval">{interval(right)}</span></div>'
        f'<div class="under">{right.k:,} of {right.n:,} held-out labels right</div></div>'
    )


def _actions(entry: Entry, job: TrainingRun | None, refused: str | None) -> None:
    version, proof = entry.version.version, entry.version.proof
    with st.container(horizontal=True, key="ft-actions"):
        if refused is None and proof is not None and proof.proved:
            st.button("Promote", type="primary", key="ft-promote", on_click=once(_promote), args=[entry, ""])
        else:
            with st.popover("Promote without proof …"):
                why = st.text_area(
                    "Reason", key="ft-why", max_chars=500,
                    help="It is kept with the promotion.",
                )  # fmt: skip
                if st.button("Promote", key="ft-override"):
                    _override(entry, why)
        if job:
            st.button(
                "Keep for later", key="ft-keep", on_click=once(_dismiss), args=[job.id],
                help="It stays in the list of versions and can be promoted from there.",
            )  # fmt: skip
        st.button("Discard", key="ft-discard", on_click=once(_discard), args=[version])
        html = job and app.jobs().folder(job.id).report_html()
        if html:
            st.download_button(
                "Report", html, f"{version.replace('/', '-')}-report.html", "text/html",
                icon=":material/description:", key="ft-report", on_click="ignore",
            )  # fmt: skip


def _promote(entry: Entry, why: str) -> None:
    """Promote it: because it is proved, or, with a reason, although it is not."""
    version, proof = entry.version.version, entry.version.proof
    reason = why.strip() or (proof.reason if proof else "")
    try:
        app.registry().promote(version, reason, datetime.now(UTC), override=bool(why.strip()))
    except (ModelError, RecordsError) as error:
        st.toast(str(error), icon="⚠️")
    else:
        st.toast(f"{version} is live within seconds.", icon="🚀")


def _override(entry: Entry, why: str) -> None:
    if not why.strip():
        st.toast("Give a reason first.", icon="✋")
        return
    _promote(entry, why)
    st.rerun()


def _discard(version: str) -> None:
    try:
        app.registry().discard(version, datetime.now(UTC))
    except (ModelError, RecordsError) as error:
        st.toast(str(error), icon="⚠️")


def _dismiss(job_id: str) -> None:
    st.session_state.setdefault("ft-dismissed", set()).add(job_id)
