"""Many visitors at once: what the app gives each of them, what each costs, and what is left when they go."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.harness.clip import encodings
from benchmarks.harness.crowd import Visitor, join, leave
from benchmarks.harness.running import ROOT, RunningApp, Used, running_app
from benchmarks.harness.session import open_session
from vibecheck.ui.shared.server import COLLECT_EVERY

SETTLE = 4.0  # s: rates are counted over three
AT_ONCE = 5
WARM_UP = 10  # joins, in which what is made once is made
REMEMBERED = 20  # s, for which Streamlit keeps a page that was left; by itself it does so for two minutes
# What VibeCheck did before: every frame comes back with the box drawn on it, every face is searched anew, and
# garbage is collected after each run of a page.
PLAIN = "import vibecheck.video.stream\nvibecheck.video.stream.SEARCH_EVERY = 0.0\n"
Recordings = Mapping[int, Sequence[bytes]]


@dataclass(frozen=True)
class Crowd:
    """One run. Rates are a second, of one visitor: the median, and the least over the most.

    `core_share` is what one visitor takes of a core, `core_ms_a_reading` the same for one reading;
    `age_s` is that of the mood shown; `mb_a_visitor` what the app grew by for each.
    """

    design: str
    visitors: int
    frames_sent: float
    frames_back: float
    marks: float
    readings: float
    fairness: float
    age_s: float
    core_share: float
    core_ms_a_reading: float
    mb_a_visitor: float
    resident_mb: float


def run(visitors: Sequence[int], plain: bool, seconds: float, joins: int, fps: int = 15) -> list[dict]:
    """Rows of `Crowd`, of this design and, if wanted, of the plain one; then one of coming and going."""
    recordings = {rate: frames for rate, frames in encodings().items() if rate <= fps}
    rows = []
    for design in ("plain", "now") if plain else ("now",):
        with _app(design) as app:
            asyncio.run(_crowd(app, design, 1, recordings, 1.0))  # what is loaded once is loaded
            rows += [asdict(asyncio.run(_crowd(app, design, n, recordings, seconds))) for n in visitors]
    if joins:
        with running_app(STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL=str(REMEMBERED)) as app:
            rows.append(asyncio.run(_come_and_go(app, joins, recordings)))
    return rows


@contextmanager
def _app(design: str) -> Iterator[RunningApp]:
    """The app as it is, or as it was."""
    if design == "now":
        with running_app() as app:
            yield app
        return
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "Home.py"
        home.write_text(PLAIN + (ROOT / "Home.py").read_text(encoding="utf-8"), encoding="utf-8")
        for each in ("pages", ".streamlit"):
            (Path(name) / each).symlink_to(ROOT / each)
        with running_app(home, VIBECHECK_VIDEO="returned", STREAMLIT_RUNNER_POST_SCRIPT_GC="true") as app:
            yield app


async def _crowd(app: RunningApp, design: str, count: int, recordings: Recordings, seconds: float) -> Crowd:
    async with AsyncExitStack() as stack:
        empty = app.used()
        visitors = [await _visitor(stack, app, recordings) for _ in range(count)]
        await asyncio.sleep(SETTLE)
        before, start = app.used(), time.monotonic()
        counts = [each.counts() for each in visitors]
        seen: list[list[tuple[float, ...]]] = [[] for _ in visitors]
        while (passed := time.monotonic() - start) < seconds:
            await asyncio.sleep(0.25)
            for each, statuses in zip(visitors, seen, strict=True):
                if status := each.status():
                    statuses.append(status)
        after = app.used()
        sent, back, marks = (
            [(each.counts()[i] - first[i]) / passed for each, first in zip(visitors, counts, strict=True)]
            for i in range(3)
        )
        readings = [statistics.mean(status[1] for status in each or [(0.0, 0.0, 0.0)]) for each in seen]
        core = (after.cpu_s - before.cpu_s) / passed
        return Crowd(
            design=design,
            visitors=count,
            frames_sent=statistics.median(sent),
            frames_back=statistics.median(back),
            marks=statistics.median(marks),
            readings=statistics.median(readings),
            fairness=min(readings) / max(readings) if max(readings) else 0.0,
            age_s=statistics.median(status[2] for each in seen for status in each or [(0, 0, 0)]),
            core_share=core / count,
            core_ms_a_reading=1000 * core / max(sum(readings), 0.01),
            mb_a_visitor=(after.resident_mb - empty.resident_mb) / count,
            resident_mb=after.resident_mb,
        )


async def _visitor(stack: AsyncExitStack, app: RunningApp, recordings: Recordings) -> Visitor:
    session = await stack.enter_async_context(open_session(app.url))
    visitor = await join(session, recordings)
    stack.push_async_callback(leave, visitor)
    return visitor


async def _come_and_go(app: RunningApp, joins: int, recordings: Recordings) -> dict:
    """`joins` visitors, some at once, each until their first frame was read; and what they left behind."""

    async def batch(count: int) -> None:
        async with AsyncExitStack() as stack:
            together = [_visitor(stack, app, recordings) for _ in range(count)]
            for visitor in await asyncio.gather(*together):
                await visitor.session.until(visitor.status)

    for _ in range(WARM_UP // AT_ONCE):
        await batch(AT_ONCE)
    before = await _quiet(app)
    for first in range(0, joins, AT_ONCE):
        await batch(min(AT_ONCE, joins - first))
    after = await _quiet(app, before)
    return {
        "design": "joined and left",
        "visitors": joins,
        "threads_left": after.threads - before.threads,
        "sockets_left": after.sockets - before.sockets,
        "mb_left": after.resident_mb - before.resident_mb,
    }


async def _quiet(app: RunningApp, like: Used | None = None) -> Used:
    """What the app uses once those who left are forgotten; after 30 s more where more is still there."""
    await asyncio.sleep(REMEMBERED + COLLECT_EVERY + 3)
    start = time.monotonic()
    while True:
        used = app.used()
        gone = like is None or (used.threads <= like.threads and used.sockets <= like.sockets)
        if gone or time.monotonic() - start > 30:
            return used
        await asyncio.sleep(3)
