"""Live video: each visitor has a Stream; one Analyser (see `analyser`) reads for all of them.

    camera → WebRTC or WebSocket → Stream.receive → (newest frame) → Analyser → Stream.add → mark → page

The page shows the camera itself and draws what the marks say (see `overlay_channel`): no frame is sent back.
Frames are never queued: a stream holds at most one frame that waits to be read, and a newer one takes its
place. A slow model makes the mood older, never the video slower.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vibecheck.emotions import Distribution
from vibecheck.video import overlay_channel
from vibecheck.vision.faces import same_face
from vibecheck.vision.reader import Expected, Moment, Reading
from vibecheck.vision.smoothing import Smoother

if TYPE_CHECKING:
    from vibecheck.video.analyser import Analyser

# A vibe check keeps the best face of the last 1.5 s.
MOMENT = 1.5
# s; the greatest age of the mark that a vibe check refers to, the one that the visitor saw.
REMEMBERED = 5.0
# s; a reading is shown until the next one, or for this long after that was due.
STALE = 1.0
# s; the longest wait for the next reading.
LONGEST_GAP = 5.0
# Searching for small faces costs four times as much. It is done while there is one (px), and otherwise
# every so many seconds while nobody is seen.
SMALL_FACE = 64
CLOSE_LOOK_EVERY = 0.5
# While one face is followed, the whole picture is searched for others this often (s), at low rates in no more
# than every fourth reading, or a busy machine would be slowed down further; but at the latest after
# SEARCH_LATEST, so that each moment has a face that may be kept.
SEARCH_EVERY = 0.5
SEARCH_LATEST = 1.0
FOLLOWED = 3
WINDOW = 3.0  # s over which the rates of frames and readings are measured


class Rate:
    """Events per second, in the last WINDOW seconds. Times are in seconds; not thread-safe."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def count(self, now: float) -> None:
        """Count an event that happens now."""
        self._times.append(now)
        while now - self._times[0] > WINDOW:
            self._times.popleft()

    def per_second(self, now: float) -> float:
        """The rate; 0 if there were fewer than two events, and too low in the first second."""
        recent = [at for at in self._times if now - at <= WINDOW]
        return (len(recent) - 1) / max(now - recent[0], 1.0) if recent else 0.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame: how to get its picture (H x W x 3 uint8 RGB), and when it arrived on a monotonic clock (s)."""

    picture: Callable[[], np.ndarray]
    at: float


class Stream:
    """One visitor's video, read by `analyser`; without one, the caller adds the readings.

    Every method may be called from any thread.
    """

    def __init__(self, analyser: "Analyser | None", clock: Callable[[], float] = time.monotonic) -> None:
        self._analyser = analyser
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: Frame | None = None
        self._smoother = Smoother()
        self._distribution: Distribution | None = None
        self._readings: deque[Reading] = deque()
        # For each mark: its number, the time of its frame, and what it showed.
        self._marks: deque[tuple[int, float, Distribution | None]] = deque()
        self._face_since = 0.0  # when the present face was first seen
        self._number = 0
        self._arrived: float | None = None  # when the newest reading came in
        self._good_until = 0.0  # and until when it is shown
        self._came, self._read = Rate(), Rate()
        self._looked_closely = -CLOSE_LOOK_EVERY
        self._searched = -SEARCH_LATEST
        self._followed = 0  # readings since then
        self._mirrored = False  # whether the frame before was read mirrored
        self._subscriber: Callable[[str], None] | None = None
        self._frames, self._paced = overlay_channel.FASTEST, 0.0  # frames a second asked for, and since when
        self._problem = ""
        self._size = 1, 1  # height and width in px of the frame that was read last
        self._forgotten = -math.inf  # when the recent pictures were last dropped
        self._closed = True
        self.open()

    def open(self) -> bool:
        """Start to read the visitor's frames; returns False if they are being read already."""
        with self._lock:
            opened, self._closed = self._closed, False
        if opened and self._analyser:
            self._analyser.join(self)
        return opened

    def receive(self, picture: Callable[[], np.ndarray]) -> None:
        """Accept a frame, whose `picture` is called if it is read. Returns at once."""
        now = self._clock()
        with self._lock:
            self._came.count(now)
            if not self._closed:
                self._waiting = Frame(picture, now)
        if self._analyser:
            self._analyser.wake()

    def subscribe(self, subscriber: Callable[[str], None]) -> None:
        """From now on, pass the mark of each reading to this function."""
        with self._lock:
            self._subscriber = None if self._closed else subscriber
            self._frames, self._paced = overlay_channel.FASTEST, self._clock()

    def is_subscribed(self, subscriber: Callable[[str], None]) -> bool:
        """Whether marks are still passed to this function."""
        with self._lock:
            return self._subscriber == subscriber

    def unsubscribe(self, subscriber: Callable[[str], None]) -> bool:
        """Pass no more marks to this function; returns whether `is_subscribed` was true until now."""
        with self._lock:
            was_subscribed = self._subscriber == subscriber
            if was_subscribed:
                self._subscriber = None
            return was_subscribed

    def newest(self) -> Reading | None:
        """The newest reading; None if it is too old to be shown."""
        with self._lock:
            return self._newest(self._clock())

    def moment(self, number: int | None = None) -> Moment | None:
        """The input of a vibe check now, or None if no face is shown.

        That is the distribution that the mark `number` showed (the newest, if it is not known any more), and
        the readings of that face in the last 1.5 s; None also if somebody else has been there since.
        """
        with self._lock:
            shown = self._distribution if self._newest(self._clock()) else None
            recent = [reading for reading in self._readings if reading.faces]
            told = next((each for each in self._marks if each[0] == number), None)
            if told is not None:
                _, at, shown = told
                if at < self._face_since:
                    recent = [reading for reading in recent if reading.at <= at]
        moment: list[Reading] = []
        for reading in reversed(recent):
            if moment and not same_face(moment[-1].faces[0], reading.faces[0]):
                break
            moment.append(reading)
        return Moment(shown, tuple(reversed(moment))) if shown and moment else None

    def report(self, problem: str) -> None:
        """Show the visitor a sentence about what went wrong with a frame, until the next reading."""
        with self._lock:
            now = self._clock()
            self._problem = problem
            subscriber, text = self._subscriber, self._mark(self._newest(now), now)
        if subscriber is not None:
            subscriber(text)

    def forget(self) -> None:
        """The camera was stopped: drop the recent pictures."""
        with self._lock:
            self._waiting = None
            self._arrived = None
            self._forgotten = self._clock()
            self._readings.clear()
            self._marks.clear()

    def close(self) -> None:
        """The visitor has left: nothing of theirs is read any more, and their pictures are dropped."""
        if self._analyser:
            self._analyser.leave(self)
        with self._lock:
            self._closed = True
            self._subscriber = None
        self.forget()

    # the analyser's side

    def next_frame(self) -> Frame | None:
        """Take the newest frame that was not read yet; it then no longer waits."""
        with self._lock:
            frame, self._waiting = self._waiting, None
            return frame

    def expected(self, at: float) -> Expected:
        """What is known before a frame taken at `at` is read.

        A face that was there before is read as it is and mirrored in alternate frames: averaged, that is as
        good as both each time, at half the cost.
        """
        with self._lock:
            newest = self._newest(at)
            before = newest.face if newest else None
            small = before is not None and before.side < SMALL_FACE
            closely = small or (before is None and at - self._looked_closely >= CLOSE_LOOK_EVERY)
            if closely:
                self._looked_closely = at
            alone = newest is not None and len(newest.faces) == 1
            wait = SEARCH_EVERY if self._followed >= FOLLOWED else SEARCH_LATEST
            follow = alone and at - self._searched < wait
            self._followed += 1
            if not follow:
                self._searched, self._followed = at, 0
            self._mirrored = not self._mirrored
            return Expected(before, closely, follow, self._mirrored if before else None)

    def add(self, reading: Reading, size: tuple[int, int]) -> None:
        """Add the reading of a frame of this height and width in px, and send its mark to the page."""
        with self._lock:
            if self._closed or reading.at < self._forgotten:  # was being read meanwhile
                return
            now = self._clock()
            gap = now - (reading.at if self._arrived is None else min(reading.at, self._arrived))
            self._arrived, self._good_until = now, now + min(gap, LONGEST_GAP) + STALE
            if self._readings and self._readings[-1].made_by != reading.made_by:
                # A prediction is made by one model and calibration: earlier readings of others do not count.
                self._smoother.reset()
                self._readings.clear()
                self._marks.clear()
                self._searched = -math.inf  # a face that may be kept follows at once
            before = next((each.face for each in reversed(self._readings) if each.face), None)
            if reading.face and not (before and same_face(before, reading.face)):
                self._face_since = reading.at
            shown = self._smoother.update(reading.at, reading.face, reading.probabilities)
            self._distribution = shown.rounded() if shown else None
            self._readings.append(reading)
            while reading.at - self._readings[0].at > MOMENT:
                self._readings.popleft()
            self._read.count(now)
            self._problem = ""
            if now - self._paced >= WINDOW:
                self._paced = now
                came, read = self._came.per_second(now), self._read.per_second(now)
                self._frames = overlay_channel.pace(self._frames, came, read)
            self._size = size
            subscriber, text = self._subscriber, self._mark(reading, now)
        if subscriber is not None:
            subscriber(text)

    def _mark(self, reading: Reading | None, now: float) -> str:
        """The next mark, with or without a reading."""
        shown = self._distribution if reading else None
        hints = (*reading.quality.hints, overlay_channel.GOOD) if reading and reading.quality else ("",)
        self._number += 1
        self._marks.append((self._number, reading.at if reading else now, shown))
        while len(self._marks) > 1 and now - self._marks[0][1] > REMEMBERED:
            self._marks.popleft()
        return overlay_channel.mark(
            self._number,
            shown,
            reading.faces if reading else (),
            self._size,
            hint=self._problem or hints[0],
            frames_in=self._came.per_second(now),
            readings=self._read.per_second(now),
            age=now - reading.at if reading else 0.0,
            keep=self._good_until - now if reading else STALE,
            frames=self._frames,
        )

    def _newest(self, now: float) -> Reading | None:
        """The newest reading, unless it is so old that the face may have moved on."""
        return self._readings[-1] if self._readings and now <= self._good_until else None
