"""What Dashboard and Fine-tune both show about the comparison of models, and a trainer's actions on it."""

from datetime import UTC, datetime

import streamlit as st

from vibecheck.access.roles import Role
from vibecheck.models import promotion
from vibecheck.models.promotion import Trial
from vibecheck.ui.access import gate
from vibecheck.ui.shared import app, theme
from vibecheck.ui.shared.presses import once

SOON = "It goes live within seconds."


def guard_warning(guard: Trial | None) -> None:
    """A warning if the previous champion is proved better than the one that replaced it."""
    if guard is None or not (advice := promotion.rollback_advice(guard)):
        return
    st.warning(advice, icon="⚠️")
    if gate.role() >= Role.TRAINER:
        st.button(
            f"Roll back to {guard.version}", icon=":material/undo:", key="guard-rollback",
            on_click=once(roll_back), args=[guard.verdict.reason, guard.against],
        )  # fmt: skip


def promote_button(trial: Trial, key: str, label: str = "Promote") -> None:
    """A button for trainers that promotes a version which is proved better than the champion."""
    if trial.verdict.proved and gate.role() >= Role.TRAINER:
        st.button(label, type="primary", key=key, on_click=once(promote_proved), args=[trial])


def promote_proved(trial: Trial) -> None:
    """Promote a version because it is proved better."""
    promotion.keep_proof(app.registry(), trial, datetime.now(UTC))
    kept = app.registry().get(trial.version).proof  # newer than the trial, if the page was open for long
    promote(trial.version, kept.reason if kept else trial.verdict.reason)


def promote(version: str, why: str, override: bool = False) -> None:
    """Promote a version for a reason; with `override`, without proof."""
    app.registry().promote(version, why, datetime.now(UTC), override=override)
    st.toast(f"{version} is the champion. {SOON}", icon="🚀")


def roll_back(why: str = "", champion: str | None = None) -> None:
    """Make the previous champion the champion again, unless another one than `champion` runs by now."""
    done = app.registry().rollback(datetime.now(UTC), why, champion)
    st.toast(f"Rolling back to {done.version}. {SOON}", icon="↩️")


def shadow_line() -> None:
    """Which models read each vibe check, and which are left out and why."""
    state = app.shadow_models().state
    said = []
    if len(state.versions) > 1:
        said.append(f"Each vibe check is read by {', '.join(state.versions)}.")
    said += [f"Left out: {reason}" for reason in state.left_out.values()]
    if state.skipped:
        said.append(f"Vibe checks skipped, since the machine was too busy to read them: {state.skipped:,}.")
    if said:
        theme.quiet(" ".join(said))
