"""Live video over the running app's own server."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from benchmarks.harness.clip import encode
from benchmarks.harness.crowd import Streamer, join
from benchmarks.harness.running import RunningApp, running_app
from benchmarks.harness.session import Session, open_session
from benchmarks.harness.visitors import moving_head
from tests.standins.nginx import nginx_before
from vibecheck.vision.images import encode_jpeg

OWN, OTHER = (f"vibecheck_visitor={digit * 32}" for digit in "ab")


@pytest.fixture(scope="module")
def app() -> Iterator[RunningApp]:
    with running_app() as app:
        yield app


def ticket(session: Session) -> dict:
    (stage,) = (data for name, data in session.data.items() if "stage" in name)
    return stage["route"]


def video(url: str, session: Session, cookie: str = OWN):
    way = ticket(session)
    return connect(
        url.replace("http", "ws") + way["path"],
        subprotocols=[Subprotocol("vibecheck-video"), Subprotocol(way["ticket"])],
        additional_headers={"Cookie": cookie} if cookie else {},
    )


async def closed_with(socket) -> int:
    async with asyncio.timeout(15):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 0


def test_only_the_browser_that_opened_the_page_may_send_its_video(app, astronaut):
    frame = encode_jpeg(astronaut[:360, :480], quality=70)

    async def talk() -> None:
        async with open_session(app.url, OWN) as session:
            for cookie in (OTHER, ""):
                with pytest.raises(InvalidStatus, match="403"):
                    await video(app.url, session, cookie)
            used = ticket(session)["ticket"]
            sockets = await asyncio.gather(
                *(video(app.url, session) for _ in range(100)), return_exceptions=True
            )
            (socket,) = (each for each in sockets if not isinstance(each, BaseException))
            await socket.send(frame)
            assert json.loads(await socket.recv())["mood"] == "happy"
            await session.run()
            await session.until(lambda: ticket(session)["ticket"] != used)
        assert await closed_with(socket) == 1001, "it closes with the session"

    asyncio.run(talk())


def test_oversized_message_is_refused_while_it_arrives(app):
    async def talk() -> int:
        async with open_session(app.url, OWN) as session, video(app.url, session) as socket:
            try:
                await socket.send(bytes(20_000_000))
            except ConnectionClosed as error:
                return error.rcvd.code if error.rcvd else 0
            return await closed_with(socket)

    assert asyncio.run(talk()) == 1009


def test_video_websocket_works_through_the_nginx_of_deploy(app, astronaut, tmp_path):
    port = int(app.url.rpartition(":")[2])

    async def talk(url: str) -> str:
        async with open_session(url, OWN) as session, video(url, session) as socket:
            await socket.send(encode_jpeg(astronaut[:360, :480], quality=70))
            return json.loads(await socket.recv())["mood"]

    with nginx_before([port, port], tmp_path) as nginx:
        assert asyncio.run(talk(nginx.url)) == "happy"


def test_ticket_alone_opens_the_socket_if_the_host_passes_no_cookies(app):
    async def talk() -> None:
        async with open_session(app.url) as session, video(app.url, session, ""):
            pass

    asyncio.run(talk())


def test_leaving_during_video_leaves_nothing_in_the_log(app):
    recording = {10: encode(moving_head(steps=10), 10)}
    before = app.log.read_text()

    async def leave(how: str) -> None:
        async with open_session(app.url, OWN) as session:
            visitor: Streamer = await join(session, recording)
            await visitor.seen.wait()
            if how == "the connection ends":
                await visitor.connection.close()
            elif how == "without a word to the data channel":
                await visitor.connection.sctp.transport.stop()
            await asyncio.sleep(0.5)
        await asyncio.sleep(0.5)  # the app may still send
        await visitor.connection.close()

    async def all_leave() -> None:
        ways = ("the connection ends", "without a word to the data channel", "the session ends first")
        await asyncio.gather(*map(leave, ways))

    asyncio.run(all_leave())
    time.sleep(1.5)  # the app's retransmission timers have run
    assert app.log.read_text().removeprefix(before) == ""
