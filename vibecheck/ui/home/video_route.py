"""The address at which live video arrives over the app's own server (see `vibecheck/video/websocket.py`)."""

from typing import TYPE_CHECKING

import streamlit as st
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from vibecheck.records.values import hash_of
from vibecheck.ui.access.browser_guard import identify
from vibecheck.ui.shared.process_state import process_value

if TYPE_CHECKING:
    from vibecheck.video.websocket import Tickets

PATH = "/video"


@process_value
def tickets() -> "Tickets":
    """The tickets of this process."""
    from vibecheck.video.websocket import Tickets  # imports the reader, which a start need not wait for

    return Tickets()


def video_route() -> WebSocketRoute:
    """The route, below `server.baseUrlPath`."""
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return WebSocketRoute(f"/{base}{PATH}" if base else PATH, _answer)


async def _answer(socket: WebSocket) -> None:
    from vibecheck.video.websocket import serve

    await serve(socket, tickets(), hash_of(identify(socket.scope).browser.visitor))
