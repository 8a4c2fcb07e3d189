"""Many visitors at once in the running app: each an open page, and video by WebRTC or over a WebSocket."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiortc import RTCPeerConnection, RTCSessionDescription
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.harness.clip import Playback
from benchmarks.harness.session import Session
from benchmarks.harness.visitors import connection_of
from vibecheck.video.websocket import PROTOCOL

PATIENCE = 60.0  # s
SOCKET_FPS = 10  # as in stage_socket.js


@dataclass
class SocketCamera:
    """A webcam of `stage_socket.js`: JPEGs, one in flight, at most `wanted` a second."""

    sent: int = 0
    wanted: int = SOCKET_FPS


@dataclass
class Streamer:
    """One visitor: what they send, and the marks that come back."""

    session: Session
    connection: RTCPeerConnection | ClientConnection
    camera: Playback | SocketCamera
    marks: int = 0
    mark: dict = field(default_factory=dict)  # the newest
    seen: asyncio.Event = field(default_factory=asyncio.Event)  # set with the first mark
    sending: asyncio.Task | None = None

    def take(self, message: str) -> None:
        """A mark, as the page takes it (see `overlay_channel`)."""
        self.marks += 1
        self.mark = json.loads(message)
        self.camera.wanted = self.mark["frames"]
        self.seen.set()


async def join_by_socket(session: Session, url: str, pictures: Sequence[bytes]) -> Streamer:
    """Send these JPEGs over the page's own connection, as `stage_socket.js` does, until `leave`."""
    way = next(data for name, data in session.data.items() if "stage" in name)["route"]
    protocols = [Subprotocol(PROTOCOL), Subprotocol(way["ticket"])]
    connection = await connect(url.replace("http", "ws") + way["path"], subprotocols=protocols)
    camera = SocketCamera()
    visitor = Streamer(session, connection, camera)

    async def send() -> None:
        due = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = time.monotonic() + 1 / min(SOCKET_FPS, camera.wanted)
            await connection.send(pictures[camera.sent % len(pictures)])
            camera.sent += 1
            visitor.take(str(await connection.recv()))

    visitor.sending = asyncio.create_task(send())
    return visitor


async def join(session: Session, recordings: Mapping[int, Sequence[bytes]]) -> Streamer:
    """Press START on an open page: stream the recordings (see `clip.encodings`), until `leave`."""
    camera = Playback(recordings)
    connection = connection_of(camera, lambda message: visitor.take(message))
    visitor = Streamer(session, connection, camera)
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


async def leave(visitor: Streamer) -> None:
    """Close the connection, as a browser does whose tab is closed."""
    if visitor.sending:
        visitor.sending.cancel()
    await visitor.connection.close()
