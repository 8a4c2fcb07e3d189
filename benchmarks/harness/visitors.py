"""Visitors with a webcam over real WebRTC: aiortc at their end, streamlit-webrtc's worker at ours.

Nothing is a mock: frames are encoded, sent over loopback, decoded and read, and the marks come back over the
connection's data channel.
"""

import asyncio
import fractions
import json
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

from vibecheck.video.stream import Stream
from vibecheck.video.webrtc import CHANNEL, DataChannel, receiver

if TYPE_CHECKING:
    from streamlit_webrtc.webrtc import WebRtcWorker

PATIENCE = 60.0  # s
CLOCK = 90_000  # ticks a second of video time stamps


@dataclass(frozen=True)
class Visit:
    """What a visitor sent, and the marks (see `overlay_channel`) that came back over `seconds`."""

    seconds: float
    sent: int
    marks: tuple[dict, ...]


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
        picture = self._pictures[self.sent % len(self._pictures)]
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = round(self.sent / self._fps * CLOCK)
        frame.time_base = fractions.Fraction(1, CLOCK)
        self.sent += 1
        return frame


def connection_of(camera: MediaStreamTrack, take: Callable[[str], None]) -> RTCPeerConnection:
    """A connection that is to send the camera's video, and passes the marks that come back to `take`."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTrack(camera)
    connection.getTransceivers()[0].direction = "sendonly"
    channel = connection.createDataChannel(
        "marks", negotiated=True, id=CHANNEL, ordered=False, maxRetransmits=0
    )
    channel.on("message", take)
    return connection


async def visit(
    exchange: Callable[[str], Awaitable[str]],
    pictures: Sequence[np.ndarray],
    fps: float,
    seconds: float,
    settle: float = 0.0,
) -> Visit:
    """Stream to the app for `settle` + `seconds` after the first mark came back; count the latter.

    `exchange` hands an SDP offer to the app and returns its answer.
    """
    camera = Camera(pictures, fps)
    marks: list[dict] = []
    first = asyncio.Event()

    def take(message: str) -> None:
        marks.append(json.loads(message))
        first.set()

    connection = connection_of(camera, take)
    await connection.setLocalDescription(await connection.createOffer())
    answer = await exchange(connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    async with asyncio.timeout(PATIENCE):
        await first.wait()
    await asyncio.sleep(settle)
    start, sent = time.monotonic(), camera.sent
    marks.clear()
    await asyncio.sleep(seconds)
    result = Visit(time.monotonic() - start, camera.sent - sent, tuple(marks))
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


def let_in(loop: asyncio.AbstractEventLoop, offer: str, stream: Stream) -> tuple["WebRtcWorker", str]:
    """Answers an offer with streamlit-webrtc's own worker, whose frames go to `stream`; returns both."""
    # Imported here, since Streamlit warns in a visitor's process, which does not need it, that no app runs.
    from streamlit_webrtc import VideoSinkTrack
    from streamlit_webrtc.webrtc import WebRtcMode, WebRtcWorker

    worker = WebRtcWorker(
        mode=WebRtcMode.SENDONLY,
        rtc_configuration=RTCConfiguration(iceServers=[]),
        **dict.fromkeys(
            (
                "source_video_track",
                "source_audio_track",
                "sink_audio_track",
                "player_factory",
                "in_recorder_factory",
                "out_recorder_factory",
                "video_frame_callback",
                "audio_frame_callback",
                "queued_video_frames_callback",
                "queued_audio_frames_callback",
                "on_video_ended",
                "on_audio_ended",
                "video_processor_factory",
                "audio_processor_factory",
            )
        ),
        sink_video_track=VideoSinkTrack(receiver(stream)),
        async_processing=True,
        video_receiver_size=4,
        audio_receiver_size=4,
        sendback_video=False,
        sendback_audio=False,
        loop=loop,
        relay=MediaRelay(),
    )
    answer = worker.process_offer(offer, "offer", timeout=20).sdp
    stream.subscribe(DataChannel(worker.pc, loop).send)
    return worker, answer


def visit_from_elsewhere(stream: Stream, pictures: Sequence[np.ndarray], fps: float, seconds: float) -> Visit:
    """A visit by another process, as a browser is one: its encoding costs the app nothing."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_elsewhere, args=(theirs, pictures, fps, seconds), daemon=True)
    with event_loop() as loop:
        process.start()
        theirs.close()
        worker, answer = let_in(loop, ours.recv(), stream)
        try:
            ours.send(answer)
            return ours.recv()
        finally:
            worker.stop()
            process.join(10)


def _elsewhere(pipe: Connection, pictures: Sequence[np.ndarray], fps: float, seconds: float) -> None:
    async def exchange(offer: str) -> str:
        pipe.send(offer)
        return await asyncio.to_thread(pipe.recv)

    logging.disable(logging.WARNING)  # as in `__main__`, of which this is a child
    pipe.send(asyncio.run(visit(exchange, pictures, fps, seconds, settle=2.0)))


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
