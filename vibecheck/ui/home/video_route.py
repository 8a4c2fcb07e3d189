"""The address at which live video arrives over the app's own server (see `vibecheck/video/websocket.py`)."""

from typing import TYPE_CHECKING

import streamlit as st
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from vibecheck.records.values import hash_of
from vibecheck.ui.access.browser_guard import NO_COOKIE, VIDEO, identify
from vibecheck.ui.shared.configuration import base_path
from vibecheck.ui.shared.process_state import ProcessValue
from vibecheck.ui.shared.visitor import visitor

if TYPE_CHECKING:
    from vibecheck.video.stream import Stream
    from vibecheck.video.websocket import Tickets


@ProcessValue
def tickets() -> "Tickets":
    """The tickets of this process."""
    from vibecheck.video.websocket import Tickets  # imports the reader, which would delay the start

    return Tickets()


def video_route() -> WebSocketRoute:
    """The route of the server."""
    return WebSocketRoute(base_path() + VIDEO, _answer)


def new_ticket(stream: "Stream") -> str:
    """A ticket to a stream for the browser of this session; for any browser, if the host drops cookies."""
    return tickets().issue(stream, "" if NO_COOKIE in st.context.headers else visitor())


async def _answer(socket: WebSocket) -> None:
    from vibecheck.video.websocket import serve

    await serve(socket, tickets(), hash_of(identify(socket.scope).browser.visitor))
