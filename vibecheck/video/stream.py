"""Live video: each visitor has a Stream; one Analyser (see `analyser`) reads for all of them.

    camera → Stream.receive → (newest frame) → Analyser → reading → Stream → told to the visitor's page
    camera → Stream.take    → (newest frame) → Analyser → reading → Stream → drawn on every frame

`receive` is for pages that show the camera themselves and draw what they are told, which costs less than
half: no picture is turned into an array unless it is read, and none is sent back. `take` gives frames back.
Frames are never queued: a stream holds at most one frame that waits to be read, and a newer one
takes its place. So a slow model makes the mood older, never the video slower.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import av
import numpy as np

from vibecheck.emotions import Distribution
from vibecheck.video import overlay_channel
from vibecheck.vision import drawing
from vibecheck.vision.faces import same_face
from vibecheck.vision.reader import Expected, Reading
from vibecheck.vision.smoothing import Smoothed, Smoother

# What "Check my vibe" looks back on.
MOMENT = 1.5
# Rates are counted over this many seconds.
RATE_WINDOW = 3.0
# A reading is shown until the next one; where none follows, for this long after it was due.
STALE = 1.0
# However slow the model and however many the visitors, it is not waited for longer than this.
LONGEST_GAP = 5.0
# Small faces take a closer look, which costs four times as much: always while there is one (px), and
# every so many seconds while there is nobody.
SMALL_FACE = 64
CLOSE_LOOK_EVERY = 0.5
# While one face is followed, the whole picture is searched this often (s): others may have come.
SEARCH_EVERY = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame and when it arrived, in seconds of a monotonic clock.

    `content` is the frame as it came, or its picture where that was made already.
    """

    content: av.VideoFrame | np.ndarray
    at: float

    def picture(self) -> np.ndarray:
        """H x W x 3 uint8 RGB."""
        if isinstance(self.content, np.ndarray):
            return self.content
        return self.content.to_ndarray(format="rgb24")


@dataclass(frozen=True, slots=True)
class View:
    """What a stream shows now.

    `mood` is None without a face; `reading` is the newest one. Rates are a second; `age` is how many
    seconds ago the frame of the newest reading arrived, None before the first. `problem` is a
    sentence, or empty.
    """

    mood: Smoothed | None
    reading: Reading | None
    frames_in: float
    frames_out: float
    readings: float
    age: float | None
    problem: str


def hint(reading: Reading | None) -> str:
    """How to be read better, or that nothing is in the way; empty without a face."""
    if reading is None or reading.quality is None:
        return ""
    return next(iter(reading.quality.hints), "Good light, and the face is sharp.")


class ReadsStreams(Protocol):
    """What a stream asks of its analyser."""

    def join(self, stream: "Stream") -> None:
        """Read this stream too."""

    def leave(self, stream: "Stream") -> None:
        """Read this stream no more."""

    def wake(self) -> None:
        """Some stream has a new frame."""


class Stream:
    """One visitor's video. Every method may be called from any thread."""

    def __init__(self, analyser: ReadsStreams, clock: Callable[[], float] = time.monotonic) -> None:
        self._analyser = analyser
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: Frame | None = None
        self._smoother = Smoother()
        self._mood: Smoothed | None = None
        self._readings: deque[Reading] = deque()
        self._arrived: float | None = None  # when the newest reading came in
        self._good_until = 0.0  # and until when it is shown
        self._ticks: dict[str, deque[float]] = {name: deque() for name in ("in", "out", "read")}
        self._looked_closely = -CLOSE_LOOK_EVERY
        self._searched = -SEARCH_EVERY
        self._mirrored = False  # whether the frame before was read so
        self._tell: Callable[[str], None] | None = None
        self._frames, self._paced = overlay_channel.FASTEST, 0.0  # asked for, and when that was thought over
        self._problems = {"reading": "", "drawing": ""}
        self._closed = False
        analyser.join(self)

    def receive(self, frame: av.VideoFrame) -> None:
        """Take a frame that need not go back. Called on the event loop, so it only notes the frame."""
        now = self._clock()
        with self._lock:
            self._tick("in", now, 1)
            if not self._closed:
                self._waiting = Frame(frame, now)
        self._analyser.wake()

    def tell_to(self, tell: Callable[[str], None] | None) -> None:
        """From now on, tell this what to draw after each reading (see `marks.mark`); None tells nobody."""
        with self._lock:
            self._tell = tell
            self._frames, self._paced = overlay_channel.FASTEST, self._clock()

    async def take(self, frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
        """Take the frames that have come since the last call, and give back the newest, drawn on.

        The callback of streamlit-webrtc, in a thread of its own. It does not raise, since that would
        freeze the picture without a word: what goes wrong is kept for `view`, and the frame goes
        back as it came.
        """
        newest = frames[-1]
        try:
            drawn = self._drawn(newest, len(frames))
        except Exception as error:
            log.exception("A frame could not be drawn on")
            self.report("drawing", f"The picture could not be drawn on ({type(error).__name__}).")
            return [newest]
        self.report("drawing", "")
        return [drawn]

    def _drawn(self, frame: av.VideoFrame, came: int) -> av.VideoFrame:
        now = self._clock()
        picture = frame.to_ndarray(format="rgb24")
        with self._lock:
            self._tick("in", now, came)
            if not self._closed:
                self._waiting = Frame(picture, now)
            reading, mood = self._newest(now), self._mood
        self._analyser.wake()
        if reading is not None and reading.faces:
            picture = picture.copy()  # the analyser may be reading the other
            shown = (mood.mood, mood.confidence) if mood else (None, None)
            drawing.draw(picture, reading.faces, *shown)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        with self._lock:
            self._tick("out", self._clock(), 1)
        return frame

    def view(self) -> View:
        """What to show beside the video now."""
        now = self._clock()
        with self._lock:
            reading = self._newest(now)
            came, went, read = (self._rate(name, now) for name in ("in", "out", "read"))
            age = now - self._readings[-1].at if self._readings else None
            problem = self._problems["reading"] or self._problems["drawing"]
            return View(self._mood if reading else None, reading, came, went, read, age, problem)

    def moment(self) -> list[Reading]:
        """The readings of the last 1.5 s that saw the face that is there now, oldest first."""
        with self._lock:
            current = self._newest(self._clock()) is not None
            recent = [reading for reading in self._readings if current and reading.faces]
        moment: list[Reading] = []
        for reading in reversed(recent):
            if moment and not same_face(moment[-1].faces[0], reading.faces[0]):
                break
            moment.append(reading)
        return moment[::-1]

    def report(self, step: str, problem: str) -> None:
        """Keep a sentence about what went wrong with a step ("reading" or "drawing"), or that it works."""
        with self._lock:
            self._problems[step] = problem

    def forget(self) -> None:
        """The camera was stopped: drop the pictures of the last moment."""
        with self._lock:
            self._waiting = None
            self._arrived = None
            self._readings.clear()

    def close(self) -> None:
        """The visitor has left: nothing of theirs is read any more, and their pictures are dropped."""
        self._analyser.leave(self)
        with self._lock:
            self._closed = True
            self._tell = None
        self.forget()

    # the analyser's side

    def next_frame(self) -> Frame | None:
        """The newest frame that was not read yet, which is then no longer waiting."""
        with self._lock:
            frame, self._waiting = self._waiting, None
            return frame

    def expected(self, at: float) -> Expected:
        """What is known before a frame taken at `at` is read.

        Small faces are worth looking for while there is one, else now and then. One face alone is followed,
        unless the whole picture was not searched for a while. Of a face that was there already, frames are
        read as they are and mirrored by turns: together they say what both of each would, at half the cost.
        """
        with self._lock:
            newest = self._newest(at)
            before = newest.face if newest else None
            small = before is not None and before.side < SMALL_FACE
            closely = small or (before is None and at - self._looked_closely >= CLOSE_LOOK_EVERY)
            if closely:
                self._looked_closely = at
            alone = newest is not None and len(newest.faces) == 1
            follow = alone and at - self._searched < SEARCH_EVERY
            if not follow:
                self._searched = at
            self._mirrored = not self._mirrored
            return Expected(before, closely, follow, self._mirrored if before else None)

    def add(self, reading: Reading) -> None:
        """Take in a reading of one of this stream's frames."""
        with self._lock:
            if self._closed:
                return
            now = self._clock()
            gap = now - (reading.at if self._arrived is None else min(reading.at, self._arrived))
            self._arrived, self._good_until = now, now + min(gap, LONGEST_GAP) + STALE
            self._mood = self._smoother.update(reading.at, reading.face, reading.probabilities)
            self._readings.append(reading)
            while reading.at - self._readings[0].at > MOMENT:
                self._readings.popleft()
            self._tick("read", now, 1)
            self._problems["reading"] = ""

    def tell(self, size: tuple[int, int]) -> None:
        """Tell the page about the newest reading, of a picture of this height and width in px."""
        with self._lock:
            tell, now = self._tell, self._clock()
            if tell is None or self._closed or not self._readings:
                return
            if now - self._paced >= RATE_WINDOW:
                self._paced = now
                self._frames = overlay_channel.pace(
                    self._frames, self._rate("in", now), self._rate("read", now)
                )
            reading = self._readings[-1]
            text = overlay_channel.mark(
                Distribution.of(self._mood.probabilities) if self._mood else None,
                reading.faces,
                size,
                hint=self._problems["reading"] or hint(reading),
                frames_in=self._rate("in", now),
                readings=self._rate("read", now),
                age=now - reading.at,
                keep=self._good_until - now,
                frames=self._frames,
            )
        tell(text)

    def _newest(self, now: float) -> Reading | None:
        """The newest reading, unless it is so old that the face may have gone elsewhere."""
        return self._readings[-1] if self._readings and now <= self._good_until else None

    def _tick(self, name: str, now: float, times: int) -> None:
        ticks = self._ticks[name]
        ticks.extend([now] * times)
        while now - ticks[0] > RATE_WINDOW:
            ticks.popleft()

    def _rate(self, name: str, now: float) -> float:
        recent = [tick for tick in self._ticks[name] if now - tick <= RATE_WINDOW]
        span = now - recent[0] if recent else 0.0
        return (len(recent) - 1) / span if span > 0 else 0.0
