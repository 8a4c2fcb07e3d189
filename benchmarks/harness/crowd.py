"""Many visitors at once in the running app: each an open page and a real WebRTC connection."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from benchmarks.harness.clip import Playback
from benchmarks.harness.session import Session
from vibecheck.video.webrtc import CHANNEL

PATIENCE = 60.0  # s


@dataclass
class Visitor:
    """One visitor: what they send, and the marks that come back."""

    session: Session
    connection: RTCPeerConnection
    camera: Playback
    marks: int = 0
    mark: dict = field(default_factory=dict)  # the newest
    seen: asyncio.Event = field(default_factory=asyncio.Event)  # set with the first mark

    def take(self, message: str) -> None:
        """A mark, as the page takes it (see `overlay_channel`)."""
        self.marks += 1
        self.mark = json.loads(message)
        self.camera.wanted = self.mark["frames"]
        self.seen.set()


async def join(session: Session, recordings: Mapping[int, Sequence[bytes]]) -> Visitor:
    """Press START on an open page: stream the recordings (see `clip.encodings`), until `leave`."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    camera = Playback(recordings)
    visitor = Visitor(session, connection, camera)
    connection.addTrack(camera)
    connection.getTransceivers()[0].direction = "sendonly"
    channel = connection.createDataChannel(
        "marks", negotiated=True, id=CHANNEL, ordered=False, maxRetransmits=0
    )
    channel.on("message", visitor.take)
    connected = asyncio.Event()

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
