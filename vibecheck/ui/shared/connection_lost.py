"""What a page says while the server does not answer."""

from pathlib import Path

import streamlit as st

STOPPED = (
    "The server has stopped, or this device is offline. This page reconnects by itself; what was "
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

_words = st.components.v2.component(
    "vibecheck_connection_lost", js=Path(__file__).with_name("connection_lost.js").read_text(encoding="utf-8")
)


def watch() -> None:
    """Replace Streamlit's texts by ours. Draws an element without size: call it at the end of a page."""
    _words(key="connection_lost", data={"words": WORDS})
