"""Streamlit's dialogs: the app's words for a lost connection, and popovers by keyboard (see `dialogs.js`)."""

from pathlib import Path

import streamlit as st

STOPPED = (
    "The server has stopped, or this device is offline. This page reconnects automatically; what was "
    "recorded is safe."
)
# Streamlit's texts (1.67) and ours.
WORDS = {
    "Connection error": "VibeCheck is not responding",
    "Streamlit server is not responding. Are you connected to the internet?": STOPPED,
    "Is Streamlit still running? If you accidentally stopped Streamlit, "
    "just restart it in your terminal:": STOPPED,
    "streamlit run yourscript.py": "make run",
}

_dialogs = st.components.v2.component(
    "vibecheck_dialogs", js=Path(__file__).with_name("dialogs.js").read_text(encoding="utf-8")
)


def improve() -> None:
    """Improve the dialogs of this page. Draws an element without size: call it at the end of a page."""
    _dialogs(key="dialogs", data={"words": WORDS})
