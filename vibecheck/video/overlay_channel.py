"""What a visitor's page draws over its own video, told to it over the visitor's WebRTC connection.

A mark is a few hundred bytes where a frame with the box drawn on it would be thousands, and nothing has to be
encoded. `ui/stage.js` draws it.
"""

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any

from vibecheck.vision.drawing import tag
from vibecheck.vision.reader import Reading
from vibecheck.vision.smoothing import Smoothed

# Both ends open this data channel by its number, so neither has to wait for the other's.
CHANNEL = 0
# Frames a second that a camera is asked for: as many as the page asks it for, and never fewer than a moving
# box needs.
FASTEST, SLOWEST = 15, 5
# What waits to be sent on a line that is stuck is no longer worth sending.
FULL = 4096  # bytes


def mark(reading: Reading, mood: Smoothed | None, size: tuple[int, int], keep: float, frames: int) -> str:
    """One reading as JSON: `faces` (x, y, width, height in shares of the picture, first the one that was
    read), the `text` and `colour` of its tag, for how many seconds to `keep` it, how many `frames` a second
    to send.

    `size` is the picture's height and width in px.
    """
    height, width = size
    faces = [
        [
            round(part, 4)
            for part in (each.x / width, each.y / height, each.width / width, each.height / height)
        ]
        for each in reading.faces
    ]
    text, colour = tag(mood.mood, mood.confidence) if mood else ("", "")
    said = {"faces": faces, "text": text, "colour": colour, "keep": round(keep, 2), "frames": frames}
    return json.dumps(said, separators=(",", ":"))


def pace(asked: int, came: float, read: float) -> int:
    """How many frames a second to ask for, when `asked` were, `came` do come, and `read` of them are read.

    A quarter more than are read: what is not read costs as much to receive as what is.
    """
    if read < 0.75 * came:
        return max(SLOWEST, min(asked, math.ceil(1.25 * read)))
    if read > 0.9 * came:
        return min(FASTEST, math.ceil(1.25 * asked))
    return asked


class Line:
    """The data channel of one connection (aiortc's) to a visitor. `send` may be called from any thread."""

    def __init__(self, connection: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = connection
        self._loop = loop
        self._channel: Any = None
        self._call(self._open)

    @property
    def wanted(self) -> bool:
        """Whether the page asked for a line, as one does that can draw; known as soon as video comes."""
        return self.connection.sctp is not None

    def send(self, text: str) -> None:
        """Send a text, unless the line is not open (yet, or any more) or is stuck: a newer one follows."""
        self._call(lambda: self._send(text))

    def _call(self, what: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

    def _open(self) -> None:
        # A page that asked for no channel has none: one that is made now would never open.
        if not self.wanted or self.connection.connectionState == "closed":
            return
        self._channel = self.connection.createDataChannel(
            "marks", ordered=False, maxRetransmits=0, negotiated=True, id=CHANNEL
        )

    def _send(self, text: str) -> None:
        channel = self._channel
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount < FULL:
            channel.send(text)
