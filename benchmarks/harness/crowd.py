"""Many visitors at once in the running app: each an open page and a real WebRTC connection."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from benchmarks.harness.clip import Playback
from benchmarks.harness.session import Session
from benchmarks.harness.visitors import read_stamp
from vibecheck.video.overlay_channel import CHANNEL

STATUS = re.compile(r"live · (\d+) frames/s(?: in, \d+ out)? · (\d+) readings/s · ([\d.]+) s old")
PATIENCE = 60.0  # s


@dataclass
class Visitor:
    """One visitor: what they send and what comes back."""

    session: Session
    connection: RTCPeerConnection
    camera: Playback
    returned: int = 0  # different frames that came back
    marks: int = 0  # messages on what to draw
    tasks: list[asyncio.Task] = field(default_factory=list)

    def counts(self) -> tuple[int, int, int]:
        """Frames sent, different frames that came back, and marks, so far."""
        return self.camera.sent, self.returned, self.marks

    def status(self) -> tuple[float, ...] | None:
        """What the page says: frames in and readings a second, the mood's age in s; None before the first."""
        for text in self.session.texts.values():
            if found := STATUS.search(text):
                return tuple(map(float, found.groups()))
        return None

    def take(self, message: str) -> None:
        """A mark, as `stage.js` takes it."""
        self.marks += 1
        self.camera.wanted = json.loads(message)["frames"]

    async def count(self, track: MediaStreamTrack) -> None:
        """Count the different frames that come back, until no more do."""
        last = -1
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            number = read_stamp(frame.to_ndarray(format="rgb24"))
            self.returned += number != last
            last = number


async def join(session: Session, recordings: Mapping[int, Sequence[bytes]]) -> Visitor:
    """Press START on an open page: stream the recordings (see `clip.encodings`), until `leave`."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    camera = Playback(recordings)
    visitor = Visitor(session, connection, camera)
    connection.addTrack(camera)
    sends_only = session.arguments["mode"] == "SENDONLY"
    connection.getTransceivers()[0].direction = "sendonly" if sends_only else "sendrecv"
    if sends_only:
        channel = connection.createDataChannel(
            "marks", negotiated=True, id=CHANNEL, ordered=False, maxRetransmits=0
        )
        channel.on("message", visitor.take)
    connected = asyncio.Event()

    @connection.on("track")
    def on_track(track: MediaStreamTrack) -> None:
        visitor.tasks.append(asyncio.create_task(visitor.count(track)))

    @connection.on("connectionstatechange")
    def on_state() -> None:
        if connection.connectionState == "connected":
            connected.set()

    await connection.setLocalDescription(await connection.createOffer())
    offer = {"type": "offer", "sdp": connection.localDescription.sdp}
    await session.say({"playing": False, "sdpOffer": offer, "iceCandidates": {}})
    await session.until(lambda: session.arguments.get("sdp_answer_json"))
    answer = RTCSessionDescription(**json.loads(session.arguments["sdp_answer_json"]))
    await connection.setRemoteDescription(answer)
    async with asyncio.timeout(PATIENCE):
        await connected.wait()
    await session.say({"playing": True, "sdpOffer": "", "iceCandidates": {}})
    return visitor


async def leave(visitor: Visitor) -> None:
    """Close the connection, as a browser does whose tab is closed."""
    await visitor.connection.close()
    for task in visitor.tasks:
        task.cancel()
