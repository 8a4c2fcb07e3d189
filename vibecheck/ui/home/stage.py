"""The stage: the visitor's camera, what is read drawn on it, and its controls (see `stage.js`)."""

from pathlib import Path

import streamlit as st

# Why the camera does not start, by what the browser says. The stage offers a photo and an upload beside it.
SENTENCES = {
    "insecure": "A browser gives the camera only to pages that came by HTTPS, or from this very machine. "
    "Open VibeCheck by https:// or at http://localhost, or upload a picture.",
    "refused": "The camera is not allowed. Allow it in the browser's address bar and press START, "
    "or use a picture.",
    "dismissed": "The browser's question about the camera was closed. Press START and allow it, "
    "or use a picture.",
    "missing": "No camera was found. Plug one in, or upload a picture.",
    "busy": "The camera does not start: another program may be using it. Close that one and press START, "
    "or use a picture.",
    "unsuitable": "This camera cannot send video that fits. Choose another camera, or use a picture.",
}
WAYS = ("photo", "upload")

_stage = st.components.v2.component(
    "vibecheck_stage", js=Path(__file__).with_name("stage.js").read_text(encoding="utf-8")
)


def stage(told: str) -> None:
    """Draw the stage into streamlit-webrtc's frame; `told` is a sentence about what went wrong, or empty."""

    def chosen() -> None:
        way = st.session_state.stage.way
        if way in WAYS:
            st.session_state.way = way

    _stage(key="stage", data={"sentences": SENTENCES, "told": told}, on_way_change=chosen)
