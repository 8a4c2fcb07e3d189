"""The address at which live video arrives over the app's own server (see `vibecheck/video/websocket.py`)."""

from typing import TYPE_CHECKING

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from vibecheck.records.values import hash_of
from vibecheck.ui.access.browser_guard import VIDEO, identify
from vibecheck.ui.shared.configuration import base_path
from vibecheck.ui.shared.process_state import ProcessValue

if TYPE_CHECKING:
    from vibecheck.video.websocket import Tickets


@ProcessValue
def tickets() -> "Tickets":
    """The tickets of this process."""
    from vibecheck.video.websocket import Tickets  # imports the reader, which would delay the start

    return Tickets()


def video_route() -> WebSocketRoute:
    """The route of the server."""
    return WebSocketRoute(base_path() + VIDEO, _answer)


async def _answer(socket: WebSocket) -> None:
    from vibecheck.video.websocket import serve

    await serve(socket, tickets(), hash_of(identify(socket.scope).browser.visitor))
