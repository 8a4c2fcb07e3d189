"""Reads a video file as live video is read: detection, following, smoothing."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from vibecheck.emotions import BY_NAME, Distribution
from vibecheck.errors import PictureError, PictureTooLarge, UnreadablePicture
from vibecheck.text.plurals import counted
from vibecheck.video.stream import Stream
from vibecheck.vision.reader import Moment, Reader, Reading

# s between two readings
EVERY = 0.2
# Containers that are opened. Others, such as playlists, can make the decoder read other files or addresses.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,gif"
MAX_FRAME = 8192 * 4320  # px; 8K
SIDE = 1280  # px; longer side of the frames that are read


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest clip that is accepted: its length in seconds (a second more is tolerated), bytes of a
    decoded frame, pixels of all its frames, and containers. `threads` decode and scale its frames; 0 means
    one per core.
    """

    seconds: float = math.inf
    frame: float = math.inf
    pixels: float = math.inf
    threads: int = 0
    containers: str = CONTAINERS


UNLIMITED = Limits()
# For a visitor's clip: a minute. A decoder holds up to 17 frames, so these take at most 212 MB: 4K in 8 bits
# fits. One core decodes the pixels (a minute of 1080p at 60 frames a second) in about half a minute.
# Containers that tell the size of their frames before any is decoded.
UPLOAD = Limits(60.0, 12.5e6, 8e9, threads=1, containers="mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi")


@dataclass(frozen=True, slots=True)
class ClipReading:
    """What was read at `at_s` seconds of a clip, and the smoothed mood then (None without a face)."""

    at_s: float
    reading: Reading
    mood: Distribution | None

    def without_pixels(self) -> "ClipReading":
        """The same without the face crop, since those of a long clip would fill the memory."""
        return replace(self, reading=replace(self.reading, kept=None))


@dataclass(frozen=True, slots=True)
class ClipSummary:
    """A whole clip: its length in seconds, the number of readings, and the share of time of each mood.

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

    @property
    def sentence(self) -> str:
        """The summary in words, for a page."""
        moods = ", ".join(f"{BY_NAME[mood].adjective} {share:.0%}" for mood, share in self.shares.items())
        face = "" if self.face_share > 0.995 else f", a face in {self.face_share:.0%} of it"
        changes = counted(self.changes, "change") if self.changes else "no change"
        return f"{self.seconds:.0f} s{face}: {moods}; {changes} of mood."


class Clip:
    """A video that is open for reading. A context manager; not to be shared by threads.

    `source` is its file, or its bytes, which stay in memory; `name` begins the sentence of an error. Raises
    PictureError if it is no video that can be read, or more than `limits` allow. `end` is the time in seconds
    up to which it has been decoded; `damaged_at` that at which reading ended because the rest is damaged, or
    None.
    """

    def __init__(self, source: Path | bytes, name: str | None = None, limits: Limits = UNLIMITED) -> None:
        self.name = name or (str(source) if isinstance(source, Path) else "This clip")
        self.end = 0.0
        self.damaged_at: float | None = None
        self._limits = limits
        self._reformatter = VideoReformatter()
        if isinstance(source, Path) and not source.is_file():  # a pipe or a device might never end
            raise UnreadablePicture(
                f"{self.name} is not a file." if source.exists() else f"There is no file {self.name}."
            )
        options = {
            "format_whitelist": limits.containers,
            "protocol_whitelist": "file" if isinstance(source, Path) else "none",
            # So that the decoder refuses frames far larger than the file says, also later ones; it counts its
            # own padding. A pixel takes 1.5 bytes or more.
            "max_pixels": str(round(min(2 * MAX_FRAME, limits.frame / 1.5 * 1.2))),
        }
        try:
            file = str(source) if isinstance(source, Path) else BytesIO(source)
            self._container = av.open(file, "r", options=options)
        except (FFmpegError, ValueError) as error:
            raise self._not_readable() from error
        try:
            if not self._container.streams.video:
                raise UnreadablePicture(f"{self.name} has no pictures, only sound.")
            self._stream = self._container.streams.video[0]
            if self._stream.codec_context is None:  # nothing here decodes it
                raise self._not_readable()
            self._check()
        except PictureError:
            self._container.close()
            raise
        self._stream.codec_context.options = {"max_pixels": options["max_pixels"]}
        if limits.threads:
            self._stream.codec_context.thread_count = limits.threads
        else:
            self._stream.thread_type = "AUTO"

    def _not_readable(self) -> UnreadablePicture:
        return UnreadablePicture(f"{self.name} is not a video that can be read. Convert it to MP4 (H.264).")

    def _check(self) -> None:
        """Raises PictureTooLarge if the clip is larger than the limits, by what its file says."""
        width, height, pixels = self._stream.width, self._stream.height, self._stream.codec_context.format
        if width * height > MAX_FRAME:
            raise PictureTooLarge(f"{self.name} has frames of {width} x {height} pixels. Convert it to 4K.")
        if pixels is not None and width * height * pixels.padded_bits_per_pixel / 8 > self._limits.frame:
            raise PictureTooLarge(
                f"{self.name} has frames of {width} x {height} pixels, more than are accepted. "
                "Convert it to 1080p."
            )
        if (seconds := self.seconds or 0.0) > self._limits.seconds + 1:
            raise self._too_long(f" is {seconds:.0f} s long")

    def _too_long(self, what: str = " is too long") -> PictureTooLarge:
        return PictureTooLarge(
            f"{self.name}{what}; at most {self._limits.seconds:.0f} s are accepted. Trim it, and try again."
        )

    def __enter__(self) -> "Clip":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    @property
    def seconds(self) -> float | None:
        """The length that the file states, or None if it states none."""
        stream = self._stream
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return self._container.duration / av.time_base if self._container.duration else None

    def read(self, reader: Reader, every: float = EVERY) -> Iterator[ClipReading]:
        """Readings of the clip from its start, one every `every` seconds.

        Raises UnreadablePicture if not a single frame can be decoded, and PictureTooLarge where the clip
        turns out to exceed its limits.
        """
        at = 0.0
        stream = Stream(None, clock=lambda: at)
        for at, picture in self._frames(every):
            reading = reader.read_frame(picture, at, stream.expected(at))
            stream.add(reading, picture.shape[:2])
            moment = stream.moment() if reading.faces else None
            yield ClipReading(at, reading, moment.distribution if moment else None)

    def _frames(self, every: float) -> Iterator[tuple[float, np.ndarray]]:
        """Upright frames, H x W x 3 uint8 RGB, at least `every` seconds apart, with their times."""
        start, at, due, number, pixels = None, 0.0, 0.0, 0, 0
        rate = float(self._stream.average_rate or 25)
        try:
            for frame in self._container.decode(self._stream):
                written = frame.time if frame.time is not None else number / rate
                start = written if start is None else start
                number, at, pixels = number + 1, max(at, written - start), pixels + frame.width * frame.height
                self.end = at + 1 / rate
                if at > self._limits.seconds + 1 or pixels > self._limits.pixels:
                    raise self._too_long()
                if at + 1e-6 < due:
                    continue
                # At a fixed rhythm, unless frames are further apart than that.
                due = max(due + every, at + every / 2)
                yield at, self._picture(frame)
        except FFmpegError:
            self.damaged_at = at
        if number == 0:
            raise UnreadablePicture(f"{self.name} is damaged or cut short: it shows no picture.")

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        ratio = self._stream.sample_aspect_ratio
        width, height = frame.width * float(ratio or 1), float(frame.height)
        scale = min(1.0, SIDE / max(width, height))
        size = max(16, round(width * scale)), max(16, round(height * scale))
        picture = self._reformatter.reformat(frame, *size, "rgb24", threads=self._limits.threads).to_ndarray()
        # counterclockwise, the display rotation in the file
        return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))


def read_moment(
    clip: Clip, reader: Reader, seen: Callable[[float], object] = lambda at: None
) -> tuple[list[ClipReading], Moment | None]:
    """The readings of a clip, and the moment of its prevailing mood; None if it shows no face.

    The moment's distribution is the mean while that mood was shown, and its face the best of that time. One
    model reads all of it, even if the reader's is replaced meanwhile. `seen` is called with the time of each
    reading in seconds; what it raises ends the reading. Raises PictureError.
    """
    reader = Reader(reader.detector, reader.classifier)
    readings: list[ClipReading] = []
    best: dict[str, Reading] = {}  # of each mood, the reading with the best face that may be kept
    for each in clip.read(reader):
        quality = each.reading.quality
        if each.mood and quality and each.reading.kept is not None:
            before = best.get(each.mood.mood)
            if before is None or before.quality is None or quality.score > before.quality.score:
                best[each.mood.mood] = each.reading
        readings.append(each.without_pixels())
        seen(each.at_s)
    # In a clip of less than a second, no face may have been cut out while a mood was shown.
    mood = next((mood for mood in summarise(readings, EVERY).shares if mood in best), None)
    if mood is None:
        return readings, None
    shown = [each for each in readings if each.mood and each.mood.mood == mood]
    mean = np.mean([each.mood.probabilities for each in shown if each.mood], axis=0)
    return readings, Moment(Distribution.of(mean), (*(each.reading for each in shown), best[mood]))


def summarise(readings: Sequence[ClipReading], every: float, end: float = math.inf) -> ClipSummary:
    """The summary of a clip that was read once every `every` seconds and ends at `end`.

    Each reading stands for the time until the next one; the last one, and one before a gap of more than five
    times `every`, for `every` seconds at most.
    """
    gaps = [after.at_s - before.at_s for before, after in pairwise(readings)]
    spans = [gap if gap <= 5 * every else every for gap in gaps]
    spans += [min(every, end - last.at_s) for last in readings[-1:]]
    time: Counter[str] = Counter()
    for each, span in zip(readings, spans, strict=True):
        if each.mood:
            time[each.mood.mood] += span  # type: ignore[assignment]  # seconds, which Counter adds as well
    shown = [each.mood.mood for each in readings if each.mood]
    with_face = sum(time.values())
    return ClipSummary(
        seconds=readings[-1].at_s + spans[-1] if readings else 0.0,
        readings=len(readings),
        face_share=with_face / sum(spans) if spans else 0.0,
        shares={mood: seconds / with_face for mood, seconds in time.most_common()},
        changes=sum(before != after for before, after in pairwise(shown)),
    )
