"""Many visitors at once: throughput and cost per visitor, and what is left after they leave."""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass

from benchmarks.harness.clip import encodings, jpegs
from benchmarks.harness.crowd import Streamer, join, join_by_socket, leave
from benchmarks.harness.running import RunningApp, Used, running_app
from benchmarks.harness.session import open_session
from vibecheck.ui.shared.server import COLLECT_EVERY

SETTLE = 4.0  # s: rates are counted over three
AT_ONCE = 5
WARM_UP = 10  # visitors
REMEMBERED = 20  # s, for which Streamlit keeps the session of a closed page; its default is two minutes
Recordings = Mapping[int, Sequence[bytes]] | Sequence[bytes]  # for WebRTC by rate, or JPEGs


@dataclass(frozen=True)
class ManyVisitors:
    """One run. Rates are medians over visitors; `fairness` is the lowest divided by the highest.

    `cores_per_visitor` and `cpu_ms_per_reading` are CPU time of the app; `mood_age_s` is the age of the mood
    shown; `mb_per_visitor` is the growth of resident memory.
    """

    transport: str
    visitors: int
    frames_sent_per_s: float
    readings_per_s: float
    fairness: float
    mood_age_s: float
    cores_per_visitor: float
    cpu_ms_per_reading: float
    mb_per_visitor: float
    resident_mb: float


def run(
    visitors: Sequence[int], seconds: float, joins: int, fps: int = 15, socket: bool = False
) -> list[dict]:
    """A row for each number of visitors, with `socket` also over WebSocket; and a row of leaks."""
    recordings = {rate: frames for rate, frames in encodings().items() if rate <= fps}
    with running_app() as app:
        asyncio.run(_crowd(app, 1, recordings, 1.0))  # warm-up
        rows = [asdict(asyncio.run(_crowd(app, n, recordings, seconds))) for n in visitors]
        if socket:
            rows += [asdict(asyncio.run(_crowd(app, n, jpegs(), seconds))) for n in visitors]
    if joins:
        with running_app(STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL=str(REMEMBERED)) as app:
            rows.append(asyncio.run(_come_and_go(app, joins, recordings)))
    return rows


async def _crowd(app: RunningApp, count: int, recordings: Recordings, seconds: float) -> ManyVisitors:
    async with AsyncExitStack() as stack:
        empty = app.used()
        visitors = [await _visitor(stack, app, recordings) for _ in range(count)]
        await asyncio.sleep(SETTLE)
        before, start = app.used(), time.monotonic()
        sent = [each.camera.sent for each in visitors]
        marks = [each.marks for each in visitors]
        ages: list[float] = []
        while (passed := time.monotonic() - start) < seconds:
            await asyncio.sleep(0.25)
            ages += [each.mark["age"] for each in visitors if each.mark]
        after = app.used()
        frames = [(each.camera.sent - first) / passed for each, first in zip(visitors, sent, strict=True)]
        readings = [(each.marks - first) / passed for each, first in zip(visitors, marks, strict=True)]
        core = (after.cpu_s - before.cpu_s) / passed
        return ManyVisitors(
            transport="WebRTC" if isinstance(recordings, Mapping) else "WebSocket",
            visitors=count,
            frames_sent_per_s=statistics.median(frames),
            readings_per_s=statistics.median(readings),
            fairness=min(readings) / max(readings) if max(readings) else 0.0,
            mood_age_s=statistics.median(ages) if ages else 0.0,
            cores_per_visitor=core / count,
            cpu_ms_per_reading=1000 * core / max(sum(readings), 0.01),
            mb_per_visitor=(after.resident_mb - empty.resident_mb) / count,
            resident_mb=after.resident_mb,
        )


async def _visitor(stack: AsyncExitStack, app: RunningApp, recordings: Recordings) -> Streamer:
    session = await stack.enter_async_context(open_session(app.url))
    if isinstance(recordings, Mapping):
        visitor = await join(session, recordings)
    else:
        visitor = await join_by_socket(session, app.url, recordings)
    stack.push_async_callback(leave, visitor)
    return visitor


async def _come_and_go(app: RunningApp, joins: int, recordings: Recordings) -> dict:
    """`joins` visitors, some at once, each until a frame is read; returns what is left afterwards."""

    async def batch(count: int) -> None:
        async with AsyncExitStack() as stack:
            together = [_visitor(stack, app, recordings) for _ in range(count)]
            for visitor in await asyncio.gather(*together):
                await visitor.seen.wait()

    for _ in range(WARM_UP // AT_ONCE):
        await batch(AT_ONCE)
    before = await _quiet(app)
    for first in range(0, joins, AT_ONCE):
        await batch(min(AT_ONCE, joins - first))
    after = await _quiet(app, before)
    return {
        "visitors": joins,
        "threads_leaked": after.threads - before.threads,
        "sockets_leaked": after.sockets - before.sockets,
        "mb_retained": after.resident_mb - before.resident_mb,
    }


async def _quiet(app: RunningApp, like: Used | None = None) -> Used:
    """What the app uses after closed sessions have expired; waits up to 30 s longer for `like`."""
    await asyncio.sleep(REMEMBERED + COLLECT_EVERY + 3)
    start = time.monotonic()
    while True:
        used = app.used()
        gone = like is None or (used.threads <= like.threads and used.sockets <= like.sockets)
        if gone or time.monotonic() - start > 30:
            return used
        await asyncio.sleep(3)
