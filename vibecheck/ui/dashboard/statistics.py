"""The dashboard's data: what was chosen, what is known of it, and the row of filters."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NoReturn

import streamlit as st

from vibecheck.analytics.overview import LiveModel, ModelStatus, Overview, look, stand
from vibecheck.errors import RecordsError
from vibecheck.records.values import is_prediction_id
from vibecheck.ui.dashboard import trace
from vibecheck.ui.shared import app

# How long an answer of the records is shown before they are asked again.
FRESH = timedelta(seconds=60)

PERIODS = {"week": "This week", "4 weeks": "4 weeks", "12 weeks": "12 weeks", "all": "All"}
STEPS = {"day": "Day", "week": "Week", "month": "Month"}


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the page shows."""

    overview: Overview
    standing: ModelStatus


def filters() -> Statistics:
    """The row of filters, and what is known of what they choose. Stops where the records cannot be read."""
    today = datetime.now(UTC).date()
    try:
        standing = _standing(today)
        sources = app.store().counting.sources()
    except RecordsError as error:
        _stop(error)
    with st.container(horizontal=True, vertical_alignment="top", key="filters"):
        period = st.segmented_control(
            "Time", list(PERIODS), format_func=PERIODS.get, default="week", required=True, key="period"
        )
        model = _choice("Model", [version.name for version in standing.versions])
        source = _choice("Source", sources)
        with st.container(width=280):
            st.text_input(
                "Trace", placeholder="prediction_id", key="searched", on_change=_search, max_chars=64,
                help="Everything that is known of one vibe check.",
            )  # fmt: skip
    if problem := st.session_state.pop("not_found", None):
        st.warning(problem, icon="🔎")
    step = st.session_state.get("step") or "week"
    try:
        return Statistics(_overview(today, period, model, source, step), standing)
    except RecordsError as error:
        _stop(error)


@st.cache_data(ttl=FRESH, max_entries=100, show_spinner="Counting…")
def _overview(today: date, period: str, model: str | None, source: str | None, step: str) -> Overview:
    return look(app.store().counting, today, period, model, source, step)


@st.cache_data(ttl=FRESH, max_entries=2, show_spinner="Counting…")
def _standing(today: date) -> ModelStatus:
    manifest = app.live_model().manifest
    return stand(app.store().counting, LiveModel(manifest.version, manifest.promised_accuracy), today)


def _choice(what: str, options: list[str]) -> str | None:
    everything = f"{what}: all"
    with st.container(width=155):
        chosen = st.selectbox(what, [everything, *options], key=f"only-{what.lower()}")
    return None if chosen == everything else chosen


def _search() -> None:
    wanted = st.session_state.searched.strip().lower()
    if is_prediction_id(wanted):
        trace.ask(wanted)
    elif wanted:
        st.session_state.not_found = (
            "A prediction_id is 32 characters long, 0 to 9 and a to f: copy all of it."
        )


def _stop(error: RecordsError) -> NoReturn:
    st.error(str(error), icon="⚠️")
    st.stop()
