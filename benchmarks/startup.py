"""Time from `streamlit run` to a usable page, and resident memory, with and without a memory limit."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.harness.clip import encodings
from benchmarks.harness.crowd import join, leave
from benchmarks.harness.models import install
from benchmarks.harness.running import RunningApp, running_app
from benchmarks.harness.session import open_session
from vibecheck.models.registry import Registry
from vibecheck.settings import Settings

GROUPS = Path("/sys/fs/cgroup")
LIMIT = 1_000_000_000  # bytes: a free machine of Streamlit Community Cloud
STREAMED = 6.0  # s


def run(vit: Path | None = None) -> list[dict]:
    """The embedded model, started twice (the second is warm); then an int8 ViT-B/16 in 1 GB.

    `vit` is its folder (made by `inference --keep FOLDER`); without it that row is left out.
    """
    recordings = encodings((15,))
    rows = []
    for name in ("first start", "warm start"):
        start = time.perf_counter()
        with running_app() as app:
            rows.append(_row(name, app, start, recordings))
    if vit is not None:
        with _limited(LIMIT) as (before, kind), running_app(before=before) as app:
            start = time.perf_counter()
            with closing(Registry.open(Settings(data=app.data))) as registry:
                install(registry, app.data, vit, "vit")
            row = _row(f"ViT-B/16 int8, 1 GB ({kind})", app, start, recordings, "vit")
            rows.append(row | {"healthy_s": None, "usable_s": None})
    return rows


def _row(
    name: str,
    app: RunningApp,
    start: float,
    recordings: Mapping[int, Sequence[bytes]],
    version: str = "",
) -> dict:
    """One app: seconds until its health check answers and until its page is usable, CPU seconds until then,
    and resident memory. `status` is `running`, `killed`, or the error.
    """
    row: dict = {"start": name, "healthy_s": time.perf_counter() - start}
    row |= dict.fromkeys(("usable_s", "cpu_s", "idle_mb", "streaming_mb"))
    try:
        row |= asyncio.run(_use(app, start, recordings, version))
        status = "running"
    except (OSError, RuntimeError, TimeoutError) as error:
        status = f"{type(error).__name__}: {error}"
    if app.process.poll() is not None:
        status = "killed"
    return row | {"status": status}


async def _use(
    app: RunningApp, start: float, recordings: Mapping[int, Sequence[bytes]], version: str
) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(app.url))
        await session.until(lambda: "mode" in session.arguments)
        usable, core = time.perf_counter() - start, app.used().cpu_s
        if version:
            await _until_it_runs(app, version)
        idle = app.used().resident_mb
        visitor = await join(session, recordings)
        stack.push_async_callback(leave, visitor)
        await visitor.seen.wait()
        most, end = 0.0, time.monotonic() + STREAMED
        while time.monotonic() < end:
            most = max(most, app.used().resident_mb)
            await asyncio.sleep(0.25)
        return {"usable_s": usable, "cpu_s": core, "idle_mb": idle, "streaming_mb": most}


async def _until_it_runs(app: RunningApp, version: str) -> None:
    """Promote a version that is installed, and wait until the app has changed to it."""
    with closing(Registry.open(Settings(data=app.data))) as registry:
        registry.promote(version, "a measurement", datetime.now(UTC), override=True)
    async with asyncio.timeout(90):
        while True:
            await asyncio.sleep(2)
            async with open_session(app.url) as another:
                if any(f"Model: {version}" in text for text in another.texts.values()):
                    return


@contextmanager
def _limited(limit: int) -> Iterator[tuple[list[str], str]]:
    """A command prefix that limits the memory of the command after it to `limit` bytes, and what enforces it.

    That is a control group, of version 1 or 2, where this user may make one; otherwise nothing does.
    """
    for parent, file, kind in (
        (GROUPS / "memory", "memory.limit_in_bytes", "cgroup v1"),
        (GROUPS, "memory.max", "cgroup v2"),
    ):
        group = parent / f"vibecheck-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if (group / file).exists():
                (group / file).write_text(str(limit))
                enter = f'echo $$ > "{group / "cgroup.procs"}" && exec "$@"'
                yield ["sh", "-c", enter, "sh"], kind
                return
        finally:
            _remove(group)
    yield [], "nothing (no control group can be made here)"


def _remove(group: Path) -> None:
    """Remove a control group once its last process has gone."""
    for _ in range(50):
        try:
            group.rmdir()
            return
        except OSError:
            time.sleep(0.1)
