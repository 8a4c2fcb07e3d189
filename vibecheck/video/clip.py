"""Reads a video file as live video is read: detection, following, smoothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from vibecheck.emotions import Distribution
from vibecheck.errors import PictureTooLarge, UnreadablePicture
from vibecheck.video.stream import Stream
from vibecheck.vision.reader import Reader, Reading

# Containers that are opened. Others, such as playlists, name further files or addresses to read.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,gif"
MAX_FRAME = 8192 * 4320  # px; 8K
SIDE = 1280  # px; longer side of the frames that are read


@dataclass(frozen=True, slots=True)
class ClipReading:
    """What was read at `at_s` seconds of a clip, and the smoothed mood then (None without a face)."""

    at_s: float
    reading: Reading
    mood: Distribution | None


@dataclass(frozen=True, slots=True)
class ClipSummary:
    """A whole clip: its length in seconds, how many readings, and the share of time of each mood.

    `shares` are of the time with a face and sum to 1; `face_share` is the share of the clip with a face;
    `changes` counts how often the mood shown changed from one to another.
    """

    seconds: float
    readings: int
    face_share: float
    shares: dict[str, float]
    changes: int

    @property
    def prevailing(self) -> str | None:
        """The mood shown for the longest time; None if no face was seen."""
        return max(self.shares, key=self.shares.__getitem__, default=None)


class Clip:
    """A video file that is open for reading. A context manager; not to be shared by threads.

    Raises PictureError if it is no video that can be read. `damaged_at` is the time in seconds at which
    reading ended because the rest is damaged, or None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged_at: float | None = None
        if not path.is_file():  # a pipe or a device might never end
            raise UnreadablePicture(
                f"{path} is not a file." if path.exists() else f"There is no file {path}."
            )
        try:
            self._container = av.open(
                str(path), options={"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
            )
        except (FFmpegError, ValueError) as error:
            raise UnreadablePicture(
                f"{path} is not a video that can be read. Convert it to MP4 (H.264)."
            ) from error
        if not self._container.streams.video:
            self._container.close()
            raise UnreadablePicture(f"{path} has no pictures, only sound.")
        self._stream = self._container.streams.video[0]
        size = self._stream.width, self._stream.height
        if size[0] * size[1] > MAX_FRAME:
            self._container.close()
            raise PictureTooLarge(f"{path} has frames of {size[0]} x {size[1]} pixels. Convert it to 4K.")
        self._stream.thread_type = "AUTO"
        # So that the decoder refuses frames far larger than the file says; it counts its own padding.
        self._stream.codec_context.options = {"max_pixels": str(2 * MAX_FRAME)}

    def __enter__(self) -> "Clip":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    @property
    def seconds(self) -> float | None:
        """Its length as the file says, or None if it does not."""
        stream = self._stream
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return self._container.duration / av.time_base if self._container.duration else None

    def read(self, reader: Reader, every: float = 0.2) -> Iterator[ClipReading]:
        """Readings `every` so many seconds of the clip, from its start.

        Raises UnreadablePicture if not a single frame can be decoded.
        """
        clock = _Clock()
        stream = Stream(_NoAnalyser(), clock)
        for at, picture in self._frames(every):
            clock.now = at
            reading = reader.read_frame(picture, at, stream.expected(at))
            stream.add(reading, picture.shape[:2])
            # Without the pixels, or those of a long clip would fill the memory.
            mood = stream.view().distribution if reading.faces else None
            yield ClipReading(at, replace(reading, kept=None), mood)

    def _frames(self, every: float) -> Iterator[tuple[float, np.ndarray]]:
        """Upright frames, H x W x 3 uint8 RGB, at least `every` seconds apart, with their times."""
        start, at, due, number = None, 0.0, 0.0, 0
        rate = float(self._stream.average_rate or 25)
        try:
            for frame in self._container.decode(self._stream):
                written = frame.time if frame.time is not None else number / rate
                start = written if start is None else start
                number, at = number + 1, max(at, written - start)
                if at + 1e-6 < due:
                    continue
                # At a fixed rhythm, unless frames are further apart than that.
                due = max(due + every, at + every / 2)
                yield at, self._picture(frame)
        except FFmpegError as error:
            if number == 0:
                raise UnreadablePicture(
                    f"{self.path} is damaged or cut short: it shows no picture."
                ) from error
            self.damaged_at = at
        if number == 0:
            raise UnreadablePicture(f"{self.path} is damaged or cut short: it shows no picture.")

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        ratio = self._stream.sample_aspect_ratio
        width, height = frame.width * float(ratio or 1), float(frame.height)
        scale = min(1.0, SIDE / max(width, height))
        size = max(16, round(width * scale)), max(16, round(height * scale))
        picture = frame.to_ndarray(format="rgb24", width=size[0], height=size[1])
        turns = round(frame.rotation / 90) % 4  # counterclockwise, as the file says it is to be shown
        return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def summarise(readings: Sequence[ClipReading], every: float) -> ClipSummary:
    """The summary of a clip that was read `every` so many seconds.

    Each reading stands for the time until the next one; the last one, and one before a gap of more than five
    times `every`, for `every` seconds.
    """
    spans = [
        after.at_s - before.at_s if after.at_s - before.at_s <= 5 * every else every
        for before, after in pairwise(readings)
    ] + [every] * bool(readings)
    time: Counter[str] = Counter()
    for each, span in zip(readings, spans, strict=True):
        if each.mood:
            time[each.mood.mood] += span  # type: ignore[assignment]  # seconds, which Counter adds as well
    shown = [each.mood.mood for each in readings if each.mood]
    with_face = sum(time.values())
    return ClipSummary(
        seconds=readings[-1].at_s + every if readings else 0.0,
        readings=len(readings),
        face_share=with_face / sum(spans) if spans else 0.0,
        shares={mood: seconds / with_face for mood, seconds in time.most_common()},
        changes=sum(before != after for before, after in pairwise(shown)),
    )


class _Clock:
    """The time of the clip."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class _NoAnalyser:
    """Frames of a clip are read one by one, by whoever wants them."""

    def join(self, stream: Stream) -> None:
        pass

    def leave(self, stream: Stream) -> None:
        pass

    def wake(self) -> None:
        pass
