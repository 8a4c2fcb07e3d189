"""A visitor's frames and marks over WebRTC: aiortc's connection, as streamlit-webrtc opens it."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import av
from aiortc.contrib.media import MediaRelay

from vibecheck.video.stream import Stream

# Both ends open this data channel by its number, so neither has to wait for the other's.
CHANNEL = 0
# Bytes that may wait to be sent; a mark that would have to wait longer is out of date.
FULL = 4096


def receiver(stream: Stream) -> Callable[[av.VideoFrame], None]:
    """Passes frames to a stream; only those that are read are turned into pictures."""
    return lambda frame: stream.receive(partial(frame.to_ndarray, format="rgb24"))


def hand_on_the_newest(relay: MediaRelay) -> None:
    """Let a relay of tracks hand on newest frames only, to whoever subscribes from now on.

    By itself it keeps every frame for each subscriber until they ask for it. Where the machine is too busy
    to decode as fast as the camera sends, that is 7 MB a second, and video that is seconds old.
    """
    relay.subscribe = partial(relay.subscribe, buffered=False)


class DataChannel:
    """The data channel of one connection (aiortc's) to a visitor. `send` may be called from any thread."""

    def __init__(self, connection: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = connection
        self._loop = loop
        self._channel: Any = None
        self._call(self._open)

    def send(self, text: str) -> None:
        """Send a text, unless the channel is not open (yet, or any more) or is stuck: a newer one follows."""
        self._call(lambda: self._send(text))

    def _call(self, what: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

    def _open(self) -> None:
        # A page that offered no channel has none: one that is made now would never open.
        if self.connection.sctp is None or self.connection.connectionState == "closed":
            return
        self._channel = self.connection.createDataChannel(
            "marks", ordered=False, maxRetransmits=0, negotiated=True, id=CHANNEL
        )

    def _send(self, text: str) -> None:
        channel = self._channel
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount < FULL:
            channel.send(text)
