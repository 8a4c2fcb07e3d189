"""The video WebSocket on a real server: what a page may send, and how everything else is refused."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from benchmarks.harness.running import free_port
from tests.waiting import wait_for
from vibecheck.video import websocket
from vibecheck.video.analyser import Analyser
from vibecheck.video.stream import Stream
from vibecheck.video.websocket import PROTOCOL, Tickets, serve
from vibecheck.vision.images import encode_jpeg

VISITOR = "visitor"


class Served:
    """A server with one visitor's stream, read by the real reader."""

    def __init__(self, reader) -> None:
        self.tickets = Tickets()
        self.analyser = Analyser(reader)
        self.stream = Stream(self.analyser)
        self.port = free_port()

    async def answer(self, socket) -> None:
        await serve(socket, self.tickets, socket.headers.get("visitor", ""))

    def ticket(self) -> str:
        return self.tickets.issue(self.stream, VISITOR)

    def open(self, ticket: str, visitor: str = VISITOR):
        return connect(
            f"ws://127.0.0.1:{self.port}/video",
            subprotocols=[Subprotocol(PROTOCOL), Subprotocol(ticket)],
            additional_headers={"visitor": visitor},
            compression=None,
        )


@contextmanager
def running(served: Served) -> Iterator[None]:
    app = Starlette(routes=[WebSocketRoute("/video", served.answer)])
    server = uvicorn.Server(uvicorn.Config(app, port=served.port, log_level="error", ws_max_size=10_000_000))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, "the server")
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def served(reader) -> Iterator[Served]:
    made = Served(reader)
    with running(made):
        yield made
    made.stream.close()
    made.analyser.stop()


@pytest.fixture(scope="module")
def frame(astronaut) -> bytes:
    return encode_jpeg(astronaut[:360, :480], quality=70)


async def closed_with(socket) -> int:
    """The code with which the server ends a connection."""
    async with asyncio.timeout(60):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 0


def test_each_frame_is_answered_by_a_mark_of_the_same_stream(served, frame):
    async def talk() -> list[dict]:
        async with served.open(served.ticket()) as socket:
            marks = []
            for _ in range(5):
                await socket.send(frame)
                marks.append(json.loads(await socket.recv()))
            assert served.stream.moment(marks[-1]["number"]).distribution.mood == marks[-1]["mood"]
            return marks

    marks = asyncio.run(talk())
    assert {mark["mood"] for mark in marks} == {"happy"}
    assert all(len(mark["faces"]) == 1 for mark in marks)
    wait_for(lambda: served.stream.moment() is None, "the pictures of a page that has closed to be dropped")


def test_a_ticket_works_once_for_its_visitor_and_its_session(served):
    async def status(ticket: str, visitor: str = VISITOR) -> int:
        try:
            async with served.open(ticket, visitor):
                return 101
        except InvalidStatus as error:
            return error.response.status_code

    async def talk() -> list[int]:
        old, ticket = served.ticket(), served.ticket()
        found = [await status(old), await status("made-up"), await status(ticket, "somebody else")]
        found += [await status(ticket), await status(ticket)]
        ticket = served.ticket()
        served.tickets.withdraw(served.stream)
        found.append(await status(ticket))
        return [*found, await status(served.tickets.issue(served.stream, ""), "no cookies here")]

    assert asyncio.run(talk()) == [403, 403, 403, 101, 403, 403, 101]


def test_a_hundred_sockets_with_one_ticket_open_one_connection(served):
    async def talk() -> int:
        ticket = served.ticket()
        sockets = await asyncio.gather(*(served.open(ticket) for _ in range(100)), return_exceptions=True)
        opened = [each for each in sockets if not isinstance(each, BaseException)]
        for each in opened:
            await each.close()
        return len(opened)

    assert asyncio.run(talk()) == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("text instead of a picture", 1003),
        (b"no picture at all", 1007),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), 1007),
        (b"", 1007),
        (bytes(200_000), 1009),
        (bytes(11_000_000), 1009),
    ],
    ids=["text", "bytes", "png", "nothing", "large", "giant"],
)
def test_invalid_or_oversized_frame_closes_the_connection(served, message, code):
    async def talk() -> int:
        async with served.open(served.ticket()) as socket:
            try:
                await socket.send(message)
            except ConnectionClosed as error:
                return error.rcvd.code if error.rcvd else 0
            return await closed_with(socket)

    assert asyncio.run(talk()) == code


def test_frame_with_too_many_pixels_closes_the_connection(served, astronaut):
    wide = encode_jpeg(astronaut.repeat(2, axis=1)[:300], quality=20)
    assert len(wide) < websocket.MOST_BYTES

    async def talk() -> int:
        async with served.open(served.ticket()) as socket:
            await socket.send(wide)
            return await closed_with(socket)

    assert asyncio.run(talk()) == 1007


def test_damaged_frame_is_reported_and_the_next_one_is_read(served, frame, caplog):
    async def talk() -> list[dict]:
        async with served.open(served.ticket()) as socket:
            await socket.send(frame[: len(frame) // 3])
            told = [json.loads(await socket.recv())]
            await socket.send(frame)
            return [*told, json.loads(await socket.recv())]

    damaged, good = asyncio.run(talk())
    assert (damaged["mood"], damaged["hint"]) == ("", "A picture from the camera arrived damaged.")
    assert good["mood"] == "happy"
    assert not caplog.records, "whoever sends rubbish does not fill the log"


def test_flood_of_frames_closes_the_connection(served, frame):
    async def talk() -> int:
        async with served.open(served.ticket()) as socket:
            try:
                for _ in range(200):
                    await socket.send(frame)
            except ConnectionClosed:
                pass
            return await closed_with(socket)

    assert asyncio.run(talk()) == 1008


def test_page_that_does_not_read_its_marks_is_disconnected(served, frame, monkeypatch):
    monkeypatch.setattr(websocket, "SEND_WITHIN", 0.3)

    async def talk() -> None:
        async with served.open(served.ticket()) as socket:
            socket.transport.pause_reading()
            await socket.send(frame)
            wait_for(served.stream.moment, "a reading")
            mark = "x" * 20_000_000  # more than the buffers of both ends hold

            def ended() -> bool:
                tell = served.stream._subscriber
                if tell is not None:
                    tell(mark)  # the server buffers the first, and waits with the next
                return tell is None

            await asyncio.to_thread(wait_for, ended, "the end of the connection")
            socket.transport.abort()  # neither end needs to wait for a farewell that is not read

    asyncio.run(talk())


def test_silent_page_is_disconnected(served, monkeypatch):
    monkeypatch.setattr(websocket, "IDLE", 0.2)

    async def talk() -> int:
        async with served.open(served.ticket()) as socket:
            return await closed_with(socket)

    assert asyncio.run(talk()) == 1001


def test_connection_is_closed_after_some_hours(served, frame, monkeypatch):
    monkeypatch.setattr(websocket, "LONGEST", 0.2)
    monkeypatch.setattr(websocket, "CHECK_EVERY", 0.05)

    async def talk() -> int:
        async with served.open(served.ticket()) as socket:
            await socket.send(frame)
            return await closed_with(socket)

    assert asyncio.run(talk()) == 1001


@pytest.mark.parametrize("end", ["the session ends", "another connection takes over"])
def test_a_connection_ends_with_its_stream(served, frame, end, monkeypatch):
    monkeypatch.setattr(websocket, "IDLE", 600)

    async def talk() -> int:
        async with served.open(served.ticket()) as socket:
            await socket.send(frame)
            await socket.recv()
            if end == "the session ends":
                served.stream.close()
            else:
                served.stream.subscribe(lambda mark: None)
            return await closed_with(socket)

    assert asyncio.run(talk()) == 1001
