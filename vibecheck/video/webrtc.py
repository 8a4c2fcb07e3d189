"""A visitor's frames and marks over WebRTC: aiortc's connection, as streamlit-webrtc opens it."""

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial, partialmethod
from typing import Any

import av
import numpy as np
from aiortc import RTCSctpTransport
from aiortc.codecs.h264 import H264Decoder
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.contrib.media import MediaRelay
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcsctptransport import Chunk
from av.frame import Frame
from av.video.reformatter import VideoReformatter

from vibecheck.video.stream import Stream

# Both ends open this data channel by its number, so that neither waits for the other.
CHANNEL = 0
# Pixels; pages ask the camera for 640 x 480.
LARGEST_FRAME = 2560 * 1600
# Bytes that may wait to be sent. If more do, a mark would be out of date when it arrives.
FULL = 4096


def receiver(stream: Stream) -> Callable[[av.VideoFrame], None]:
    """Passes frames to a stream; only those that are read become pictures, in the analyser's thread."""
    reformatter = VideoReformatter()  # frame.to_ndarray creates one per frame, with its own threads

    def picture(frame: av.VideoFrame) -> np.ndarray:
        return reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()

    return lambda frame: stream.receive(partial(picture, frame))


def refuse_large_frames() -> None:
    """Make aiortc drop frames with more than LARGEST_FRAME pixels, in the whole process.

    Decoders allocate several bytes per pixel before decoding, and 2 kB of VP8 can announce 268 million.
    """
    decode, create = Vp8Decoder.decode, H264Decoder.__init__

    def decode_if_small(self: Vp8Decoder, encoded: JitterFrame) -> list[Frame]:
        return decode(self, encoded) if vp8_pixels(encoded.data) <= LARGEST_FRAME else []

    def create_with_limit(self: H264Decoder) -> None:
        create(self)
        self.codec.options = {"max_pixels": str(LARGEST_FRAME)}

    Vp8Decoder.decode, H264Decoder.__init__ = decode_if_small, create_with_limit


def vp8_pixels(data: bytes) -> int:
    """How many pixels a VP8 frame announces (RFC 6386, section 9.1); 0 if it is no key frame."""
    if len(data) < 10 or data[0] & 1:
        return 0
    width, height = struct.unpack_from("<HH", data, 6)
    return int((width & 0x3FFF) * (height & 0x3FFF))


def relay_newest_only() -> None:
    """Make aiortc's relays of tracks forward only the newest frame to a subscriber, in the whole process.

    By default they queue every frame. On a machine that is too busy to decode as fast as the camera sends,
    memory then grows by 7 MB a second, and the video lags by seconds.
    """
    MediaRelay.subscribe = partialmethod(MediaRelay.subscribe, buffered=False)


def ignore_lost_connection(sctp: RTCSctpTransport) -> None:
    """Drop messages that are sent after the visitor has left.

    aiortc (1.16) sends from tasks of its own, in which nobody catches the ConnectionError that this raises:
    asyncio then logs "Task exception was never retrieved".
    """
    send = sctp._send_chunk

    async def send_if_connected(chunk: Chunk) -> None:
        with suppress(ConnectionError):
            await send(chunk)

    sctp._send_chunk = send_if_connected


class DataChannel:
    """The data channel of one connection (aiortc's) to a visitor. `send` may be called from any thread."""

    def __init__(self, connection: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = connection
        self._loop = loop
        self._channel: Any = None
        self._call(self._open)

    def send(self, text: str) -> None:
        """Send a text, or drop it if the channel is not open or is stuck: a newer one follows."""
        self._call(lambda: self._send(text))

    def _call(self, what: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

    def _open(self) -> None:
        # If the page offered no channel, one that is made now would never open.
        if self.connection.sctp is None or self.connection.connectionState == "closed":
            return
        ignore_lost_connection(self.connection.sctp)
        self._channel = self.connection.createDataChannel(
            "marks", ordered=False, maxRetransmits=0, negotiated=True, id=CHANNEL
        )

    def _send(self, text: str) -> None:
        channel = self._channel
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount < FULL:
            channel.send(text)
