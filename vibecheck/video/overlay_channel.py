"""What the app tells a visitor's page about its own video: one message, a mark, for each frame that was read.

A mark is JSON of a few hundred bytes; the page draws it, so no frame is encoded and sent back. Its fields:

    probabilities  seven numbers, 4 decimals, in the order of EMOTIONS: smoothed, sum 1. [] without a mood
    mood           name of the largest of them, "" without a mood
    runner_up      name of the second largest, "" without a mood
    clear          false where mood and runner_up are hard to tell apart (see `emotions.Distribution`)
    text, colour   the tag at the face that was read, and its colour as "#RRGGBB"; "" without a mood
    faces          [x, y, width, height] of each face, in shares of the picture that was sent (not mirrored);
                   the first is the one that was read. [] if nobody is seen
    hint           a sentence on how to be read better, or what went wrong; may be ""
    frames_in      frames a second that arrive
    readings       frames a second that are read
    age            seconds from the arrival of the frame to this mark
    keep           seconds for which the mark stays valid if no other follows
    frames         frames a second that the page is asked to send

Everything that shows a mood shows these probabilities: tag, headline and bars, and a vibe check records those
of its moment. `mood`, `runner_up` and `clear` follow from them and are sent so that the page decides nothing.
"""

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from vibecheck.emotions import Distribution
from vibecheck.vision.drawing import tag
from vibecheck.vision.faces import Face

# Both ends open this data channel by its number, so neither has to wait for the other's.
CHANNEL = 0
# Frames a second that a camera is asked for: as many as the page asks it for, and never fewer than a moving
# box needs.
FASTEST, SLOWEST = 15, 5
# What waits to be sent on a line that is stuck is no longer worth sending.
FULL = 4096  # bytes


def mark(
    distribution: Distribution | None,
    faces: Sequence[Face],
    size: tuple[int, int],
    *,
    hint: str,
    frames_in: float,
    readings: float,
    age: float,
    keep: float,
    frames: int,
) -> str:
    """A mark as JSON; the fields are described above. `size` is the picture's height and width in px."""
    height, width = size
    shares = [
        [
            round(part, 4)
            for part in (face.x / width, face.y / height, face.width / width, face.height / height)
        ]
        for face in faces
    ]
    text, colour = tag(distribution.mood, distribution.confidence) if distribution else ("", "")
    fields = {
        "probabilities": [round(p, 4) for p in distribution.probabilities] if distribution else [],
        "mood": distribution.mood if distribution else "",
        "runner_up": distribution.runner_up if distribution else "",
        "clear": distribution.clear if distribution else False,
        "text": text,
        "colour": colour,
        "faces": shares,
        "hint": hint,
        "frames_in": round(frames_in, 1),
        "readings": round(readings, 1),
        "age": round(age, 3),
        "keep": round(keep, 2),
        "frames": frames,
    }
    return json.dumps(fields, separators=(",", ":"))


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
