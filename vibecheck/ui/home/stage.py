"""The stage: the visitor's camera, what is read drawn on it, and its controls (see `stage.js`)."""

from pathlib import Path
from typing import Any

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
    "ended": "The video broke off: the camera stopped. Look whether it is plugged in and whether another "
    "program has taken it, then press START, or use a picture.",
    "unconnected": "The video does not get through, not even over the page's own connection. Press START to "
    "try again, or use a picture.",
}
WAYS = ("photo", "upload")

_stage = st.components.v2.component(
    "vibecheck_stage",
    js="".join(
        Path(__file__).with_name(each).read_text(encoding="utf-8") for each in ("socket.js", "stage.js")
    ),
)


def is_socket_open() -> bool:
    """Whether the stage sends its video over a WebSocket now."""
    return getattr(st.session_state.get("stage"), "socket", None) is True


def stage(told: str, socket: dict[str, Any]) -> None:
    """Draw the stage into streamlit-webrtc's frame.

    `told` is a sentence about what went wrong, or empty; `socket` says how video may travel: `mode` (see
    VIBECHECK_VIDEO), `path` and `ticket` of its WebSocket, `constraints` of the camera.
    """

    def chosen() -> None:
        way = st.session_state.stage.way
        if way in WAYS:
            st.session_state.way = way

    _stage(
        key="stage",
        data={"sentences": SENTENCES, "told": told, "socket": socket},
        on_way_change=chosen,
        on_socket_change=lambda: None,
    )
