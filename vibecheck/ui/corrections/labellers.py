"""The labellers' display names and label counts."""

import streamlit as st

from vibecheck.ui.corrections import labelling_session as session
from vibecheck.ui.shared import app, theme
from vibecheck.ui.shared.visitor import visitor


def name(given_by: str | None) -> str:
    """What a labeller is called: the first digits of their id."""
    if given_by == visitor():
        return "You"
    return f"Labeller {given_by[:4]}" if given_by else "Somebody"


def review(labeller: str) -> None:
    """Open Corrections with the vibe checks that a labeller labelled, the newest first."""
    session.progress().start()
    st.session_state.view, st.session_state["filter-labeller"] = "all", labeller
    st.switch_page("pages/1_Corrections.py")


def counts() -> None:
    """How many labels each labeller gave; counted only while it is open."""
    with st.expander("Labellers", key="who", on_change="rerun") as who:
        if not who.open:
            return
        found = app.store().queues.labellers()
        if not found:
            theme.quiet("No labeller has labelled a picture yet.")
        for count in found:
            queue = f"{count.queue} queue" if count.queue else "other views"
            theme.quiet(f"{name(count.given_by)} · {queue} · {count.labels}")
