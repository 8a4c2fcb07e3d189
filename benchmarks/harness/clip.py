"""A webcam's recording, encoded once, so that many visitors can stream it without encoding it themselves."""

import asyncio
import fractions
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack

from benchmarks.harness.visitors import CLOCK, moving_head
from vibecheck.video.overlay_channel import FASTEST, SLOWEST
from vibecheck.vision.images import encode_jpeg

RECORDED = Path(__file__).parents[3] / "shared" / "video" / "cremad_1001_six_emotions.mp4"
BITRATE = 600_000
SECONDS = 6


def recording(fps: int, size: tuple[int, int] = (640, 480)) -> list[np.ndarray]:
    """The recorded actor at `fps` frames a second, as W x H; a moving portrait where he is not here.

    Each picture is H x W x 3 uint8 RGB.
    """
    if not RECORDED.is_file():
        return moving_head(size[::-1], SECONDS * fps)
    pictures: list[np.ndarray] = []
    with av.open(str(RECORDED)) as video:
        for frame in video.decode(video=0):
            if len(pictures) == SECONDS * fps:
                break
            if frame.time * fps >= len(pictures):
                picture = cv2.resize(frame.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_LINEAR)
                pictures.append(picture)
    return pictures


def encode(pictures: Sequence[np.ndarray], fps: int) -> list[bytes]:
    """The pictures as frames of VP8, as a browser encodes them; each second begins with a key frame."""
    height, width = pictures[0].shape[:2]
    codec = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.time_base = fractions.Fraction(1, fps)
    codec.bit_rate, codec.gop_size = BITRATE, fps
    codec.thread_count = 1
    codec.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1"}
    packets: list[bytes] = []
    for picture in pictures:
        packets += map(bytes, codec.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    packets += map(bytes, codec.encode(None))
    return packets


def encodings(rates: Sequence[int] = range(SLOWEST, FASTEST + 1)) -> dict[int, list[bytes]]:
    """The recording at several frame rates, each with the same number of whole seconds."""
    found = {rate: encode(recording(rate), rate) for rate in rates}
    seconds = min(len(frames) // rate for rate, frames in found.items())
    return {rate: frames[: seconds * rate] for rate, frames in found.items()}


def jpegs(fps: int = 10) -> list[bytes]:
    """The recording as `stage_socket.js` sends it."""
    return [encode_jpeg(picture, quality=60) for picture in recording(fps, (400, 300))]


class Playback(MediaStreamTrack):
    """A webcam that plays a recording in a loop, at a rate that may be changed each second.

    `recordings` are those of `encodings`; `wanted` is the rate that the app asks for in its marks.
    """

    kind = "video"

    def __init__(self, recordings: Mapping[int, Sequence[bytes]]) -> None:
        super().__init__()
        self._recordings = recordings
        self._start = time.monotonic()
        self._second = 0
        self._queue: list[tuple[float, bytes]] = []
        self.wanted = max(recordings)
        self.sent = 0

    async def recv(self) -> av.Packet:
        if not self._queue:
            rate = min(
                (each for each in self._recordings if each >= self.wanted), default=max(self._recordings)
            )
            frames = self._recordings[rate]
            first = self._second * rate % len(frames)
            times = (self._second + i / rate for i in range(rate))
            self._queue = list(zip(times, frames[first : first + rate], strict=True))
            self._second += 1
        due, data = self._queue.pop(0)
        await asyncio.sleep(max(0.0, self._start + due - time.monotonic()))
        packet = av.Packet(data)
        packet.pts = round(due * CLOCK)
        packet.time_base = fractions.Fraction(1, CLOCK)
        self.sent += 1
        return packet
