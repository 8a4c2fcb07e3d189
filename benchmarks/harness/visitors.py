"""Visitors with a webcam, made of real WebRTC: aiortc at their end, streamlit-webrtc's worker at ours.

Nothing is a mock: frames are encoded, sent over loopback, decoded, handed to the app's callback, and
come back the same way. Every frame carries its number as a strip of black and white blocks, so that
frames lost or repeated on the way are counted and not guessed.
"""

import asyncio
import fractions
import logging
import multiprocessing
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

if TYPE_CHECKING:
    from streamlit_webrtc.webrtc import WebRtcWorker

CLOCK = 90_000  # ticks a second of video time stamps
BLOCK = 16  # px of a block of the strip
BITS = 16
Take = Callable[[list[av.VideoFrame]], Awaitable[list[av.VideoFrame]]]


@dataclass(frozen=True)
class Visit:
    """What a visitor saw: frames sent and different frames that came back, over `seconds`."""

    seconds: float
    sent: int
    returned: int

    @property
    def ratio(self) -> float:
        """Frames returned of those sent."""
        return self.returned / self.sent


def stamp(picture: np.ndarray, number: int) -> np.ndarray:
    """A copy of an H x W x 3 picture with `number` in its upper left corner."""
    stamped = picture.copy()
    for bit in range(BITS):
        stamped[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return stamped


def read_stamp(picture: np.ndarray) -> int:
    """The number in a stamped picture."""
    middles = picture[BLOCK // 2, BLOCK // 2 : BITS * BLOCK : BLOCK].mean(axis=1)
    return sum(1 << bit for bit, light in enumerate(middles) if light > 127)


class Camera(MediaStreamTrack):
    """A webcam that shows pictures (H x W x 3 uint8 RGB) in turn, `fps` a second."""

    kind = "video"

    def __init__(self, pictures: Sequence[np.ndarray], fps: float) -> None:
        super().__init__()
        self._pictures = pictures
        self._fps = fps
        self._start = time.monotonic()
        self.sent = 0

    async def recv(self) -> av.VideoFrame:
        due = self._start + self.sent / self._fps
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        picture = stamp(self._pictures[self.sent % len(self._pictures)], self.sent)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = round(self.sent / self._fps * CLOCK)
        frame.time_base = fractions.Fraction(1, CLOCK)
        self.sent += 1
        return frame


async def visit(
    exchange: Callable[[str], Awaitable[str]],
    pictures: Sequence[np.ndarray],
    fps: float,
    seconds: float,
    settle: float = 0.0,
) -> Visit:
    """Stream to the app for `settle` + `seconds` after the first frame came back; count the latter.

    `exchange` hands an SDP offer to the app and returns its answer.
    """
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    camera = Camera(pictures, fps)
    connection.addTrack(camera)
    track: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
    connection.on("track", track.set_result)
    await connection.setLocalDescription(await connection.createOffer())
    answer = await exchange(connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    returned = await track
    await returned.recv()
    start, sent_before, seen = time.monotonic() + settle, 0, set()
    while (now := time.monotonic()) < start + seconds:
        frame = await returned.recv()
        if now < start:
            sent_before = camera.sent
        else:
            seen.add(read_stamp(frame.to_ndarray(format="rgb24")))
    result = Visit(time.monotonic() - start, camera.sent - sent_before, len(seen))
    await connection.close()
    return result


@contextmanager
def event_loop():
    """An event loop in a thread of its own, as Streamlit's is to the app."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="event-loop", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Door:
    """The app's end: answers offers with streamlit-webrtc's own worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._relay = MediaRelay()

    def open(self, offer: str, take: Take) -> tuple["WebRtcWorker", str]:
        """Let a visitor in, whose frames go to `take`; returns the worker and the answer."""
        # Not above: a visitor's own process needs nothing of Streamlit, which warns that no app runs there.
        from streamlit_webrtc.webrtc import WebRtcMode, WebRtcWorker

        worker = WebRtcWorker(
            mode=WebRtcMode.SENDRECV,
            rtc_configuration=RTCConfiguration(iceServers=[]),
            **dict.fromkeys(
                (
                    "source_video_track",
                    "source_audio_track",
                    "sink_video_track",
                    "sink_audio_track",
                    "player_factory",
                    "in_recorder_factory",
                    "out_recorder_factory",
                    "video_frame_callback",
                    "audio_frame_callback",
                    "queued_audio_frames_callback",
                    "on_video_ended",
                    "on_audio_ended",
                    "video_processor_factory",
                    "audio_processor_factory",
                )
            ),
            queued_video_frames_callback=take,
            async_processing=True,
            video_receiver_size=4,
            audio_receiver_size=4,
            sendback_video=True,
            sendback_audio=False,
            loop=self._loop,
            relay=self._relay,
        )
        return worker, worker.process_offer(offer, "offer", timeout=20).sdp


def visit_from_elsewhere(
    take: Take, pictures: Sequence[np.ndarray], fps: float, seconds: float, settle: float = 2.0
) -> Visit:
    """A visit by another process, as a browser is one: its encoding costs the app nothing."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_elsewhere, args=(theirs, pictures, fps, seconds, settle), daemon=True)
    with event_loop() as loop:
        process.start()
        theirs.close()
        worker, answer = Door(loop).open(ours.recv(), take)
        try:
            ours.send(answer)
            return ours.recv()
        finally:
            worker.stop()
            process.join(10)


def _elsewhere(
    pipe: Connection, pictures: Sequence[np.ndarray], fps: float, seconds: float, settle: float
) -> None:
    async def exchange(offer: str) -> str:
        pipe.send(offer)
        return await asyncio.to_thread(pipe.recv)

    logging.disable(logging.WARNING)  # as in `__main__`, of which this is a child
    pipe.send(asyncio.run(visit(exchange, pictures, fps, seconds, settle)))


def portrait() -> np.ndarray:
    """The head of scikit-image's astronaut, smiling, 260 x 260 x 3 uint8 RGB."""
    from skimage import data

    return data.astronaut()[:260, 100:360]


def moving_head(
    size: tuple[int, int] = (480, 640), steps: int = 60, head: np.ndarray | None = None
) -> list[np.ndarray]:
    """A webcam's view (H x W x 3 uint8 RGB) of a head of 260 px, moving round in a circle."""
    height, width = size
    head = portrait() if head is None else head
    pictures = []
    for angle in np.linspace(0, 2 * np.pi, steps, endpoint=False):
        picture = np.full((height, width, 3), 96, np.uint8)
        x = round((width - 260) / 2 + (width - 280) / 4 * np.cos(angle))
        y = round((height - 260) / 2 + (height - 280) / 4 * np.sin(angle))
        picture[y : y + 260, x : x + 260] = head
        pictures.append(picture)
    return pictures
