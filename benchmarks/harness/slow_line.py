"""A slow connection to a server: a TCP proxy with a limited bit rate and a longer round trip."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

CHUNK = 1500  # bytes, of a packet


@dataclass(frozen=True)
class Line:
    """A line with `bits` per second each way and a round trip of `round_trip` seconds."""

    bits: float
    round_trip: float


# What Chromium's developer tools call a fast 3G.
MOBILE = Line(bits=1.6e6, round_trip=0.15)


@asynccontextmanager
async def slow_line(port: int, line: Line) -> AsyncIterator[int]:
    """A port of this machine that leads over such a line to another port; all connections share the line."""
    ways = [_Way(line), _Way(line)]
    tasks: set[asyncio.Task] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(ways[0].carry(reader, back))
                group.create_task(ways[1].carry(there, writer))
        except* OSError:
            pass  # either end has gone
        except* asyncio.CancelledError:
            pass  # the line is taken down
        finally:
            writer.close()
            back.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Way:
    """One direction."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._free = 0.0  # when the line has sent what it was given so far

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes until it ends."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(reader, queue))
            group.create_task(self._deliver(queue, writer))

    async def _take(self, reader: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]]) -> None:
        data = b"-"
        while data:
            data = await reader.read(CHUNK)
            self._free = max(self._free, time.monotonic()) + 8 * len(data) / self._line.bits
            await asyncio.sleep(self._free - time.monotonic())
            queue.put_nowait((self._free + self._line.round_trip / 2, data))

    async def _deliver(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(due - time.monotonic())
            if not data:
                return writer.close()
            writer.write(data)
            await writer.drain()
