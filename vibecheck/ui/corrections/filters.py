"""The filters of the corrections page, for labellers."""

from collections.abc import Callable, Sequence

import streamlit as st

from vibecheck.emotions import BY_NAME, NAMES
from vibecheck.records.labels.pagination import Filters
from vibecheck.ui.corrections import labellers
from vibecheck.ui.corrections import labelling_session as session
from vibecheck.ui.shared import app
from vibecheck.ui.shared.visitor import timezone

# Fields of `Filters`.
FLAGS = {
    "unlabelled": "Unlabelled",
    "unsure": "Low confidence",
    "disagreed": "Disagreed",
    "with_picture": "With picture",
}


def chosen_filters() -> Filters:
    """The filters as chosen."""
    start = session.progress().start
    names = ("flags", "mood", "model", "labeller", "days")
    chosen = sum(bool(st.session_state.get(f"filter-{name}")) for name in names)
    title = f"Filters · {chosen}" if chosen else "Filters"
    with st.popover(title, icon=":material/filter_list:", key="filters"):
        flags = st.pills(
            "Only", list(FLAGS), selection_mode="multi", format_func=FLAGS.get, on_change=start,
            key="filter-flags", wrap=True,
        )  # fmt: skip
        mood = _choice("mood", "Mood", NAMES, words=lambda name: BY_NAME[name].title)
        model = _choice("model", "Model", [each.version for each in app.store().model_versions()])
        given_by = sorted({each.given_by for each in app.store().queues.labellers() if each.given_by})
        labeller = _choice("labeller", "Labelled by", given_by, "Anyone", labellers.name)
        days = st.date_input("Days", value=[], on_change=start, key="filter-days")
    since, before = session.days(days, timezone())
    return Filters(
        mood=mood,
        model_version=model,
        labeller=labeller,
        since=since,
        before=before,
        visitor=None,
        **dict.fromkeys(flags, True),
    )


def _choice(
    name: str, title: str, options: Sequence[str], placeholder: str = "Any", words: Callable[[str], str] = str
) -> str | None:
    return st.selectbox(
        title, options, index=None, format_func=words, placeholder=placeholder,
        on_change=session.progress().start, key=f"filter-{name}",
    )  # fmt: skip
