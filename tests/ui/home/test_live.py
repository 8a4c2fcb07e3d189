"""A real relay of aiortc, between a camera and somebody who is too slow for it."""

import asyncio

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaRelay

from vibecheck.ui.home.live import hand_on_the_newest

PICTURE = np.zeros((16, 16, 3), np.uint8)


class Numbered(MediaStreamTrack):
    """Frames with a number, one after another, as fast as they are asked for."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(0)
        frame = av.VideoFrame.from_ndarray(PICTURE, format="rgb24")
        frame.pts = self.sent
        self.sent += 1
        return frame


async def behind(relay: MediaRelay) -> list[int]:
    """How many frames old what a slow subscriber gets is, each of ten times."""
    camera = Numbered()
    subscribed = relay.subscribe(camera)
    ages = []
    for _ in range(10):
        frame = await subscribed.recv()
        ages.append(camera.sent - frame.pts)
        while camera.sent < frame.pts + ages[-1] + 50:  # busy, while fifty more come
            await asyncio.sleep(0)
    subscribed.stop()
    camera.stop()
    await asyncio.sleep(0.01)
    return ages


def test_who_is_slow_gets_the_newest_frame_and_no_queue():
    relay = MediaRelay()
    hand_on_the_newest(relay)
    assert max(asyncio.run(behind(relay))) <= 3


def test_by_itself_the_relay_would_queue_them_all():
    assert asyncio.run(behind(MediaRelay()))[-1] > 400
