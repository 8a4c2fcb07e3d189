"""What the guard passes on to Streamlit, whatever the address."""

import asyncio

import pytest
from starlette.routing import Router, WebSocketRoute
from starlette.websockets import WebSocket
from streamlit.proto.BackMsg_pb2 import BackMsg

from vibecheck.ui.access.browser_guard import VISITOR_COOKIE, BrowserGuard, identify
from vibecheck.ui.access.websocket_messages import AT_ONCE

CLEAR = BackMsg(clear_cache=True).SerializeToString()
HEARTBEAT = BackMsg(app_heartbeat=True).SerializeToString()


def taken(path: str, *sent: bytes) -> list[bytes]:
    """What an app with Streamlit's route receives of messages that a browser sends to an address."""
    received = []

    async def streamlit(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket.iter_bytes():
            received.append(message)

    messages = [
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "bytes": each} for each in sent),
        {"type": "websocket.disconnect", "code": 1000},
    ]

    async def receive():
        return messages.pop(0)

    async def send(message):
        pass

    app = BrowserGuard(Router([WebSocketRoute("/_stcore/stream", streamlit)]))
    scope = {"type": "websocket", "path": path, "scheme": "ws", "headers": [], "client": ("127.0.0.1", 1)}
    asyncio.run(app(scope, receive, send))
    return received


@pytest.mark.parametrize(
    ("sent", "renewed"),
    [
        ("vibecheck_keep=nothing", ["vibecheck_keep=nothing; Path=/; Max-Age=31536000; SameSite=Lax"]),
        ("vibecheck_keep=no thing; x=1", []),
        ("x=1", []),
    ],
)
def test_choice_of_what_is_kept_is_renewed_by_each_page_since_safari_forgets_what_scripts_store(
    sent, renewed
):
    scope = {"type": "http", "scheme": "http", "headers": [(b"cookie", sent.encode())]}
    set_cookies = identify(scope).set_cookies
    assert [each for each in set_cookies if not each.startswith(VISITOR_COOKIE)] == renewed


def test_visitor_id_is_kept_for_a_year_from_the_last_visit_so_that_the_newest_records_can_be_deleted():
    scope = {"type": "http", "scheme": "http", "headers": [(b"cookie", b"vibecheck_visitor=" + b"5" * 32)]}
    assert identify(scope).set_cookies == (
        f"vibecheck_visitor={'5' * 32}; Path=/; HttpOnly; Max-Age=31536000; SameSite=Lax",
    )


def test_a_connection_that_sends_too_many_messages_is_closed():
    received = taken("/_stcore/stream", *[HEARTBEAT] * (AT_ONCE + 50))
    assert AT_ONCE <= len(received) < AT_ONCE + 50


@pytest.mark.parametrize("path", ["/_stcore/stream", "/_stcore/stream\n"])
def test_developer_messages_are_dropped_at_every_address_that_streamlit_answers(path):
    assert taken(path, CLEAR, HEARTBEAT) == [HEARTBEAT]
