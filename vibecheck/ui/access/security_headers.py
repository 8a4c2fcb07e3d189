"""Security headers on every response, and a path of Streamlit's that is closed to visitors."""

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vibecheck.ui.shared.configuration import base_path

HEADERS = {
    # Streamlit's iframes are allowed the camera and more; Spotify's player needs none of it.
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Streamlit needs inline scripts and styles; what may be framed can be restricted.
    "Content-Security-Policy": "frame-src 'self' https://open.spotify.com; "
    "object-src 'none'; base-uri 'self'",
}
CLOSED = "/_stcore/metrics"  # memory and sessions, computed at each request


class SecurityHeaders:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        app = self._app
        if scope["type"] == "http" and path_of(scope).startswith(CLOSED):
            app = PlainTextResponse("Not Found", status_code=404)
        await app(scope, receive, send_with_headers)


def path_of(scope: Scope) -> str:
    """The path of a request below `server.baseUrlPath`, with a slash before it."""
    path: str = scope["path"]
    return "/" + path.removeprefix(base_path()).lstrip("/")
