"""A visitor's frames and marks over a WebSocket of the app's own server, where WebRTC does not connect.

The page sends a JPEG as one binary message, waits for the mark that answers it, and sends the newest frame it
has by then: one frame is in flight, nothing queues, and the rate follows the network. The marks are those of
`overlay_channel`, the stream is the one that WebRTC would feed.

A socket opens only with a ticket that the visitor's page was given. A ticket works once, and only with the
cookie of the browser that opened the page. It travels as the second subprotocol, since URLs end up in logs.
"""

import asyncio
import logging
import secrets
import threading
import time
from functools import partial
from io import BytesIO

import numpy as np
from PIL import Image
from starlette.websockets import WebSocket, WebSocketDisconnect

from vibecheck.access.passes import digest
from vibecheck.errors import UnreadablePicture
from vibecheck.video.overlay_channel import FASTEST
from vibecheck.video.stream import Stream
from vibecheck.vision.jpeg_layout import jpeg_layout

PROTOCOL = "vibecheck-video"
MOST_BYTES = 100_000  # of a frame; the page sends 5,000 to 20,000
LONGEST_SIDE = 640  # px
MOST_SCANS = 12  # of a progressive JPEG: each costs a pass over the picture
MOST_SEGMENTS = 100  # a page's frames have 10, and nothing between them
# A page sends at most as many frames a second as the marks ask for, but they may arrive in bursts.
BURST = 2 * FASTEST
IDLE = 30.0  # s without a frame, after which the page counts as gone
SEND_WITHIN = 10.0  # s within which a page has to accept a mark
LONGEST = 4 * 3600.0  # s that one connection may last
CHECK_EVERY = 0.5  # s between checks whether the stream still belongs to this connection

# Close codes of RFC 6455
GOING_AWAY, UNSUPPORTED, INVALID, POLICY, TOO_BIG = 1001, 1003, 1007, 1008, 1009

log = logging.getLogger(__name__)


class Tickets:
    """One-time tickets to feed a stream, each for the browser of one visitor. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By digest: the stream, and the visitor whose browser may use it.
        self._tickets: dict[bytes, tuple[Stream, str]] = {}

    def issue(self, stream: Stream, visitor: str) -> str:
        """Issue a ticket to this stream for this visitor, or for any (""). It replaces the last one."""
        self.withdraw(stream)
        ticket = secrets.token_urlsafe(24)
        with self._lock:
            self._tickets[digest(ticket)] = stream, visitor
        return ticket

    def redeem(self, ticket: str, visitor: str) -> Stream | None:
        """Use up a ticket and return its stream; None if the ticket is not valid."""
        with self._lock:
            stream, owner = self._tickets.get(digest(ticket), (None, ""))
            if stream is None or owner not in ("", visitor):
                return None
            del self._tickets[digest(ticket)]
        return stream

    def is_used(self, ticket: str) -> bool:
        """Whether a ticket no longer opens anything."""
        with self._lock:
            return digest(ticket) not in self._tickets

    def withdraw(self, stream: Stream) -> None:
        """Revoke the ticket of a stream."""
        with self._lock:
            self._tickets = {key: held for key, held in self._tickets.items() if held[0] is not stream}


async def serve(socket: WebSocket, tickets: Tickets, visitor: str) -> None:
    """Serve one connection until it ends. Without a valid ticket it is refused before it is opened (403)."""
    offered = socket.scope.get("subprotocols", [])
    valid = len(offered) == 2 and offered[0] == PROTOCOL
    stream = tickets.redeem(offered[1], visitor) if valid else None
    if stream is None:
        await socket.close(POLICY)
        return
    await socket.accept(subprotocol=PROTOCOL)
    await _Connection(socket, stream).run()


class _Connection:
    def __init__(self, socket: WebSocket, stream: Stream) -> None:
        self._socket = socket
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._mark = ""  # the newest; one that was not sent yet is replaced
        self._has_mark = asyncio.Event()

    async def run(self) -> None:
        self._stream.subscribe(self._tell)
        parts = {asyncio.create_task(part()) for part in (self._receive, self._send, self._watch)}
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            code = max((task.result() for task in done if not task.exception()), default=GOING_AWAY)
        finally:
            for task in parts:
                task.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            if self._stream.unsubscribe(self._tell):
                self._stream.forget()
        if code:
            # A page that does not read its messages does not read a close frame either.
            with_limit = asyncio.wait_for(self._socket.close(code), 1.0)
            await asyncio.gather(with_limit, return_exceptions=True)

    def _tell(self, mark: str) -> None:
        """Send this mark next, in place of one that still waits. May be called from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, mark)

    def _put(self, mark: str) -> None:
        self._mark = mark
        self._has_mark.set()

    async def _receive(self) -> int:
        """Receive frames; returns the code to close with, 0 if the page has closed."""
        allowance, last = float(BURST), time.monotonic()
        while True:
            try:
                async with asyncio.timeout(IDLE):
                    message = await self._socket.receive()
            except TimeoutError:
                return GOING_AWAY
            if message["type"] == "websocket.disconnect":
                return 0
            data = message.get("bytes")
            if data is None:
                return UNSUPPORTED
            if len(data) > MOST_BYTES:
                return TOO_BIG
            now = time.monotonic()
            allowance, last = min(BURST, allowance + (now - last) * BURST / 2), now
            allowance -= 1
            if allowance < 0:
                return POLICY
            if not _is_frame(data):
                return INVALID
            self._stream.receive(partial(decode, data))

    async def _send(self) -> int:
        """Send the newest mark as soon as the previous one is sent."""
        while True:
            await self._has_mark.wait()
            self._has_mark.clear()
            try:
                async with asyncio.timeout(SEND_WITHIN):
                    await self._socket.send_text(self._mark)
            except TimeoutError:
                return POLICY
            except (WebSocketDisconnect, RuntimeError):  # the page has closed
                return 0

    async def _watch(self) -> int:
        """Returns when the session has ended, another connection feeds the stream, or LONGEST is over."""
        end = time.monotonic() + LONGEST
        while self._stream.is_subscribed(self._tell) and time.monotonic() < end:
            await asyncio.sleep(CHECK_EVERY)
        return GOING_AWAY


def _is_frame(data: bytes) -> bool:
    """Whether this is a JPEG that is small enough to decode, judged by its header in a fraction of a ms."""
    layout = jpeg_layout(data)
    if layout.scans > MOST_SCANS or layout.segments > MOST_SEGMENTS or layout.stray:
        return False
    try:
        with Image.open(BytesIO(data), formats=["JPEG"]) as image:
            return max(image.size) <= LONGEST_SIDE
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def decode(data: bytes) -> np.ndarray:
    """A frame as H x W x 3 uint8 RGB. Raises UnreadablePicture for a damaged one."""
    try:
        with Image.open(BytesIO(data), formats=["JPEG"]) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise UnreadablePicture("A picture from the camera arrived damaged.") from error
