"""Comet in the sidebar: whether all records have arrived there, for analysts and trainers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import streamlit as st

from vibecheck.access.roles import Role
from vibecheck.comet.status import CometState, Restoring, comet_state, fetch, try_again
from vibecheck.errors import RecordsError
from vibecheck.records.store import Store
from vibecheck.text.plurals import counted
from vibecheck.ui.access import gate
from vibecheck.ui.shared import theme
from vibecheck.ui.shared.configuration import settings
from vibecheck.ui.shared.presses import once

# s between refreshes: often enough to watch the queue shrink.
REFRESH_EVERY = 5.0


def draw(records: Callable[[], Store]) -> None:
    """Draw the status in the sidebar, for roles that may see it. `records` may raise RecordsError."""
    if settings().sends and gate.role() >= Role.ANALYST:
        with st.sidebar:
            _state(records)


def disclosure() -> None:
    """Tell visitors that a copy of what is kept goes to Comet, if it does."""
    if settings().sends:
        st.markdown(
            "- **A copy** of the records is sent to [Comet](https://www.comet.com), which keeps it for "
            "the operator of this app. What is deleted here is deleted there too."
        )


def fetch_button(records: Callable[[], Store]) -> None:
    """A button that makes the sending process fetch from Comet what is not here yet."""
    if settings().sends:
        st.button("Fetch from Comet", icon=":material/cloud_download:", on_click=once(_fetch), args=[records])


def _fetch(records: Callable[[], Store]) -> None:
    fetch(records())
    st.toast("Restoring from Comet. The sidebar shows the progress.")


@st.fragment(run_every=REFRESH_EVERY)
def _state(records: Callable[[], Store]) -> None:
    try:
        store = records()
        state = comet_state(store)
    except RecordsError:
        return  # the page itself says so
    with st.container(key="comet-state", gap="small"):
        st.markdown(_headline(state))
        for line in _lines(state, datetime.now(UTC)):
            theme.quiet(line)
        if state.waiting.set_aside or (state.waiting.queued and not state.connected):
            st.button(
                "Try again", key="comet-try-again", on_click=once(try_again), args=[store], width="stretch"
            )


def _headline(state: CometState) -> str:
    if state.waiting.set_aside:
        return ":orange-badge[:material/cloud_alert: Comet: some records set aside]"
    if not state.connected:
        return ":orange-badge[:material/cloud_off: Comet: not connected]"
    return ":green-badge[:material/cloud_done: Comet: connected]"


def _lines(state: CometState, now: datetime) -> list[str]:
    """The lines of the status, most important first."""
    waiting = state.waiting
    lines = [state.sentence] if state.sentence else []
    if waiting.queued:
        lines.append(f"{counted(waiting.queued, 'record')} queued, the oldest {_ago(waiting.oldest, now)}.")
    elif not waiting.set_aside and not lines:
        lines.append("All records are in Comet.")
    for reason, count in sorted(waiting.set_aside.items(), key=lambda item: -item[1]):
        lines.append(f"{counted(count, 'record')} set aside: {reason}")
    if waiting.behind:
        lines.append(f"{counted(waiting.behind, 'record')} waiting for them.")
    if state.restoring is not None:
        if not state.restoring.done:
            lines.append(_progress(state.restoring))
        if state.restoring.refused:
            refused = counted(state.restoring.refused, "asset")
            lines.append(f"{refused} in Comet cannot be used: {state.restoring.reason}")
    return lines


def _progress(at: Restoring) -> str:
    if at.sentence:
        return f"Restoring is paused: {at.sentence}"
    if at.days_read < at.days or at.days == 0:
        return f"Restoring: day {at.days_read} of {at.days}, {counted(at.predictions, 'prediction')} so far."
    return f"Restoring: {counted(at.pictures_left, 'picture')} left."


def _ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, in words; dates are UTC."""
    if moment is None:
        return "just added"
    passed = now - moment
    if passed < timedelta(minutes=2):
        return "just added"
    if passed < timedelta(hours=2):
        return f"{passed // timedelta(minutes=1)} minutes old"
    if passed < timedelta(days=2):
        return f"{passed // timedelta(hours=1)} hours old"
    return f"from {moment.day} {moment:%B}"
