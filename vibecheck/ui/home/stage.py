"""The stage: the visitor's camera with the readings drawn over it, and its controls.

Its code is in stage_*.js, which run as one function in streamlit-webrtc's frame; `stage.js` injects them.
"""

import json
from pathlib import Path
from typing import Any

import streamlit as st

from vibecheck.ui.home import vibe_check

# Messages by the kind of problem that the stage finds. It offers an upload beside them, and a photo unless
# the kind is in NO_CAMERA.
SENTENCES = {
    "insecure": "Browsers allow the camera only on pages opened over HTTPS, or from the same machine. "
    "Open VibeCheck at https:// or at http://localhost, or upload a picture.",
    "refused": "The camera is not allowed. Allow it in the browser's address bar and press START, "
    "or upload a picture.",
    "system": "This device does not let the browser use the camera. Allow it in the device's privacy "
    "settings and press START, or upload a picture.",
    "dismissed": "The browser's camera request was dismissed. Press START and allow it, or use a picture.",
    "missing": "No camera was found. Plug one in, or upload a picture.",
    "busy": "The camera does not start: another program may be using it. Close that program and press START, "
    "or upload a picture.",
    "unchanged": "The other camera does not start: another program may be using it, or it was unplugged. "
    "The video continues with the previous one.",
    "another": "The browser opened a different camera. To use the one you chose here, select it in the "
    "browser's camera request as well.",
    "unsuitable": "This camera cannot send suitable video. Choose another camera, or use a picture.",
    "unreadable": "This browser hides the camera's picture, against fingerprinting. Let the page use canvas "
    "data (in the address bar) and press START, or upload a picture.",
    "ended": "The video stopped: the camera was unplugged, or another program is using it. Check both, then "
    "press START, or use a picture.",
    "lost": "The video stopped: the connection between your browser and the app was lost. Press START to "
    "go on, or use a picture.",
    "closed": "The video stopped: the app closed the connection. Press START to go on, or use a picture.",
    "unconnected": "The video cannot reach the app, not even over the page's own connection. Press START to "
    "try again, or use a picture.",
    "blocked": "The video cannot reach the app: VIBECHECK_VIDEO allows WebRTC only, which many networks "
    "and some browsers block. The operator can set it to auto. Meanwhile, use a picture.",
}
NO_CAMERA = ("insecure", "refused", "system", "missing", "busy", "unreadable")
WAYS = ("photo", "upload")
PARTS = ("memory", "view", "overlay", "camera", "socket", "webrtc", "frame")


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def page_script() -> str:
    """The script of the component in the page, which holds the one that runs in streamlit-webrtc's frame."""
    parts = "\n".join(_read(f"stage_{part}.js") for part in PARTS)
    values = {"SENTENCES": SENTENCES, "NO_CAMERA": NO_CAMERA, "STYLE": _read("stage.css")}
    constants = "\n".join(f"const {name} = {json.dumps(value)};" for name, value in values.items())
    frame = f"(() => {{ {constants}\n{parts} }})();"
    return f"const FRAME = {json.dumps(frame)};\n{_read('stage.js')}"


_stage = st.components.v2.component("vibecheck_stage", js=page_script())


def uses_socket() -> bool:
    """Whether the stage sends its video over a WebSocket, or is about to."""
    socket = getattr(st.session_state.get("stage"), "socket", None)
    return isinstance(socket, int) and socket > 0


def stage(route: dict[str, Any]) -> None:
    """Draw the stage into streamlit-webrtc's frame.

    `route` says how video may travel: `mode` (see VIBECHECK_VIDEO), `path` and `ticket` of its WebSocket,
    `constraints` of the camera; and the `session` that reads it.
    """

    def chosen() -> None:
        way = st.session_state.stage.way
        if way in WAYS:
            st.session_state.way = way

    _stage(
        key="stage",
        data={"route": route},
        on_way_change=chosen,
        on_started_change=vibe_check.close,  # a camera that starts automatically leaves a result open
        on_socket_change=lambda: None,
    )
