"""Real connections and relays of aiortc."""

import asyncio
import gc
from fractions import Fraction

import av
import numpy as np
import psutil
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
from aiortc.codecs.h264 import H264Decoder
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.contrib.media import MediaRelay
from aiortc.jitterbuffer import JitterFrame

from vibecheck.video import webrtc
from vibecheck.video.stream import Stream
from vibecheck.video.webrtc import CHANNEL, DataChannel, receiver, relay_newest_only

PICTURE = np.zeros((16, 16, 3), np.uint8)
SUBSCRIBE = MediaRelay.subscribe  # aiortc's own, which a page with video replaces for the whole process


class Numbered(MediaStreamTrack):
    """Numbered frames, as fast as they are requested."""

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


def test_each_frame_is_converted_in_its_own_size_without_new_threads():
    rng = np.random.default_rng(0)
    sizes = [(48, 64), (96, 128), (64, 48), (48, 64)] * 5
    frames = [
        av.VideoFrame.from_ndarray(rng.integers(0, 256, (*size, 3), np.uint8), "rgb24").reformat(
            format="yuv420p", threads=1
        )
        for size in sizes
    ]
    stream = Stream(None)
    receive = receiver(stream)
    before = psutil.Process().num_threads()
    pictures = []
    for frame in frames:
        receive(frame)
        pictures.append(stream.next_frame().picture())
    assert psutil.Process().num_threads() < before + 5
    for picture, frame in zip(pictures, frames, strict=True):
        assert np.array_equal(picture, frame.to_ndarray(format="rgb24"))


def test_slow_subscriber_gets_the_newest_frame_without_a_queue(monkeypatch):
    monkeypatch.setattr(MediaRelay, "subscribe", SUBSCRIBE)  # restored afterwards
    relay_newest_only()
    assert max(asyncio.run(behind(MediaRelay()))) <= 3


def test_unpatched_relay_queues_every_frame_for_a_slow_subscriber(monkeypatch):
    monkeypatch.setattr(MediaRelay, "subscribe", SUBSCRIBE)
    assert asyncio.run(behind(MediaRelay()))[-1] > 400


async def connected(channel: bool) -> tuple[RTCPeerConnection, RTCPeerConnection, list[str]]:
    """A visitor's connection and the app's, and the messages that the visitor receives."""
    visitor, app = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    told: list[str] = []
    visitor.addTransceiver("video", "sendonly")
    if channel:
        visitor.createDataChannel("marks", negotiated=True, id=CHANNEL).on("message", told.append)
    await visitor.setLocalDescription(await visitor.createOffer())
    await app.setRemoteDescription(visitor.localDescription)
    await app.setLocalDescription(await app.createAnswer())
    await visitor.setRemoteDescription(app.localDescription)
    return visitor, app, told


def test_a_mark_reaches_the_visitor_from_any_thread():
    async def talk() -> list[str]:
        visitor, app, told = await connected(channel=True)
        channel = DataChannel(app, asyncio.get_running_loop())
        async with asyncio.timeout(30):
            # A message sent before the channel is open is lost; the next reading sends another.
            while not told:
                await asyncio.to_thread(channel.send, "a mark")
                await asyncio.sleep(0.05)
        await app.close()
        channel.send("to nobody")
        await asyncio.sleep(0)
        await visitor.close()
        return told

    assert set(asyncio.run(talk())) == {"a mark"}


def test_page_without_a_data_channel_is_sent_nothing():
    async def talk() -> object:
        visitor, app, _ = await connected(channel=False)
        channel = DataChannel(app, asyncio.get_running_loop())
        channel.send("to nobody")
        await asyncio.sleep(0.05)
        await app.close()
        await visitor.close()
        return app.sctp

    assert asyncio.run(talk()) is None


@pytest.mark.parametrize("ignored", [True, False], ids=["", "as aiortc does it"])
def test_marks_to_a_visitor_who_just_left_raise_nothing_in_aiortc(ignored, monkeypatch):
    if not ignored:
        monkeypatch.setattr(webrtc, "ignore_lost_connection", lambda sctp: None)
    raised = []

    async def talk() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: raised.append(context["message"]))
        visitor, app, told = await connected(channel=True)
        channel = DataChannel(app, loop)
        async with asyncio.timeout(30):
            while not told:
                channel.send("a mark")
                await asyncio.sleep(0.05)
            await visitor.sctp.transport.stop()  # what the app hears of a closed tab
            while app.sctp.transport.state != "closed":
                channel.send("a mark")
                await asyncio.sleep(0)
        channel._send("a mark")  # before the connection is closed here, too
        await asyncio.sleep(0.05)
        gc.collect()
        await app.close()
        await visitor.close()

    asyncio.run(talk())
    assert set(raised) == (set() if ignored else {"Task exception was never retrieved"})


def encoded(codec: str, width: int, height: int) -> bytes:
    """A key frame."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = Fraction(1, 30)
    frame = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), "rgb24").reformat(
        format="yuv420p"
    )
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


@pytest.mark.parametrize(("codec", "decoder"), [("libvpx", Vp8Decoder), ("libx264", H264Decoder)])
def test_frames_larger_than_any_page_sends_are_not_decoded(codec, decoder, monkeypatch):
    monkeypatch.setattr(Vp8Decoder, "decode", Vp8Decoder.decode)  # restored afterwards
    monkeypatch.setattr(H264Decoder, "__init__", H264Decoder.__init__)
    monkeypatch.setattr(webrtc, "LARGEST_FRAME", 320 * 240)
    webrtc.refuse_large_frames()

    def sizes(width: int, height: int) -> list[tuple[int, int]]:
        opened = decoder()
        data = encoded(codec, width, height)
        try:
            found = opened.decode(JitterFrame(data=data, timestamp=0)) + opened.codec.decode(None)
        except av.FFmpegError:
            return []
        return [(frame.width, frame.height) for frame in found]

    assert sizes(320, 240) == [(320, 240)]
    assert sizes(336, 240) == []


def test_pixels_that_a_vp8_frame_announces_are_read_from_its_header():
    key = bytes([0x10, 0, 0]) + b"\x9d\x01\x2a" + bytes([0xFF, 0x3F, 0xFF, 0xFF])
    assert webrtc.vp8_pixels(key) == 16383 * 16383
    assert webrtc.vp8_pixels(bytes([0x11]) + key[1:]) == webrtc.vp8_pixels(key[:9]) == 0
