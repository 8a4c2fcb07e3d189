"""The proxy that stands for a slow line."""

import asyncio
import time

import pytest

from benchmarks.harness.slow_line import Line, slow_line


@pytest.mark.quick
def test_slow_line_delivers_all_data_with_the_configured_delay():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(30_000))[::-1])
        await writer.drain()
        writer.close()

    async def talk() -> tuple[bytes, float]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with slow_line(port, Line(bits=1.2e6, round_trip=0.1)) as slow:
            reader, writer = await asyncio.open_connection("127.0.0.1", slow)
            start = time.monotonic()
            writer.write(sent)
            back = await reader.read(-1)
            took = time.monotonic() - start
            writer.close()
        server.close()
        return back, took

    sent = bytes(range(250)) * 120
    back, took = asyncio.run(talk())
    assert back == sent[::-1]
    assert took >= 0.1 + 2 * 30_000 * 8 / 1.2e6 - 0.01
