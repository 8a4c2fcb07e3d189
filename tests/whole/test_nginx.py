"""The proxy's own limits, in front of an app that only answers slowly."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.standins.nginx import nginx_before

pytestmark = pytest.mark.quick
AT_MOST = 300  # as in deploy/nginx.conf


async def slow_app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers "/" at once, and nothing else."""
    if (await reader.readline()).startswith(b"GET / "):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
    else:
        await reader.read()
    writer.close()


def test_one_address_holds_three_hundred_connections_at_most(tmp_path):
    async def connect(port: int, stack: AsyncExitStack) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(writer.close)
        writer.write(b"GET /_stcore/stream HTTP/1.1\r\nHost: here\r\n\r\n")
        await writer.drain()
        return reader

    async def visit() -> list[bytes]:
        async with AsyncExitStack() as stack:
            server = await asyncio.start_server(slow_app, "127.0.0.1", 0)
            stack.callback(server.close)
            port = server.sockets[0].getsockname()[1]
            nginx = await asyncio.to_thread(stack.enter_context, nginx_before([port, port], tmp_path))
            readers = [await connect(int(nginx.url.rpartition(":")[2]), stack) for _ in range(AT_MOST + 5)]
            answers = [asyncio.create_task(reader.readline()) for reader in readers]
            refused = [await each for _, each in zip(range(5), asyncio.as_completed(answers), strict=False)]
            assert sum(not answer.done() for answer in answers) == AT_MOST
            return refused

    assert {answer.split()[1] for answer in asyncio.run(visit())} == {b"429"}
