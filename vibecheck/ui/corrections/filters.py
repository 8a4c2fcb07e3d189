"""The filters of the corrections page, for labellers."""

import streamlit as st

from vibecheck.emotions import BY_NAME, NAMES
from vibecheck.records.labels.pages import Filters
from vibecheck.ui.corrections import labellers
from vibecheck.ui.corrections import labelling_session as session
from vibecheck.ui.shared import app
from vibecheck.ui.shared.visitor import timezone

FLAGS = {
    "unlabelled": "Unlabelled",
    "unsure": "Low confidence",
    "disagreed": "Disagreed",
    "with_picture": "With picture",
}


def chosen_filters() -> Filters:
    """The filters as chosen."""
    start = session.progress().start
    chosen = sum(
        bool(st.session_state.get(f"filter-{name}"))
        for name in ("flags", "mood", "model", "labeller", "days")
    )
    title = f"Filters · {chosen}" if chosen else "Filters"
    with st.popover(title, icon=":material/filter_list:", key="filters"):
        flags = st.pills(
            "Only",
            list(FLAGS),
            selection_mode="multi",
            format_func=FLAGS.get,
            on_change=start,
            key="filter-flags",
            wrap=True,
        )
        mood = st.selectbox(
            "Mood",
            NAMES,
            index=None,
            format_func=lambda name: BY_NAME[name].title,
            placeholder="Any",
            on_change=start,
            key="filter-mood",
        )
        model = st.selectbox(
            "Model",
            [each.version for each in app.store().model_versions()],
            index=None,
            placeholder="Any",
            on_change=start,
            key="filter-model",
        )
        labeller = st.selectbox(
            "Labelled by",
            sorted({each.given_by for each in app.store().queues.labellers() if each.given_by}),
            index=None,
            format_func=labellers.name,
            placeholder="Anyone",
            on_change=start,
            key="filter-labeller",
        )
        days = st.date_input("Days", value=[], on_change=start, key="filter-days")
    since, before = session.days(days, timezone())
    return Filters(
        mood=mood,
        model_version=model,
        labeller=labeller,
        since=since,
        before=before,
        unlabelled="unlabelled" in flags,
        unsure="unsure" in flags,
        disagreed="disagreed" in flags,
        with_picture="with_picture" in flags,
    )
