"""Live video when WebRTC cannot connect: Chromium without UDP, on loopback and on a slow network."""

import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Page

from benchmarks.harness.running import NO_UDP, RunningApp, running_app
from benchmarks.harness.slow_line import MOBILE, Line, slow_line
from benchmarks.harness.visitors import event_loop
from benchmarks.soak import chromium

PATIENCE = 120_000  # ms; a slow line takes a minute for the page
SETTLE = 2_000  # ms

# Counts the traffic on the video WebSocket, and notes when the page receives the first mood.
COUNT = """
const page = window.parent;
page.counted ??= { frames: 0, bytes: 0, delays: [] };
if (window === page) {
  addEventListener("vibecheck-mark", ({ detail }) => {
    if (detail.mood) counted.first ??= performance.now();
  });
} else {
  const Plain = WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", () => page.counted.delays.push(performance.now() - this.sentAt));
    }
    send(data) {
      this.sentAt = performance.now();
      page.counted.frames += 1;
      page.counted.bytes += data.size;
      super.send(data);
    }
  };
  addEventListener("click", () => (page.counted.start ??= page.performance.now()), true);
}
"""


@dataclass(frozen=True)
class Fallback:
    """One network. `first_mood_s` is the time from START to the first mood in a browser's first visit,
    including the failed WebRTC attempt, `second_visit_s` the same in its second visit, and `latency_ms` the
    time from sending a frame to its mark.
    """

    network: str
    first_mood_s: float
    second_visit_s: float
    readings_per_s: float
    upload_kb_per_s: float
    latency_ms: float
    latency_p95_ms: float


def run(seconds: float) -> list[dict]:
    """A row for loopback and one for an emulated mobile network, each measured for `seconds`."""
    with (
        running_app() as app,
        tempfile.TemporaryDirectory() as folder,
        chromium(Path(folder), *NO_UDP) as open_page,
    ):
        rows = [_measure("loopback", open_page(), app.url, seconds)]
        with _behind(app, MOBILE) as url:
            line = f"{MOBILE.bits / 1e6:.1f} Mbit/s, {1000 * MOBILE.round_trip:.0f} ms"
            rows.append(_measure(line, open_page(), url, seconds))
    return [asdict(row) for row in rows]


def _measure(line: str, page: Page, url: str, seconds: float) -> Fallback:
    page.add_init_script(COUNT)
    page.set_default_timeout(PATIENCE)
    first = _first_mood(page, url)
    again = _first_mood(page, url)
    page.wait_for_timeout(SETTLE)
    page.evaluate("Object.assign(counted, { frames: 0, bytes: 0, delays: [], from: performance.now() })")
    page.wait_for_timeout(1000 * seconds)
    counted = page.evaluate("({ ...counted, took: (performance.now() - counted.from) / 1000 })")
    page.context.close()
    return Fallback(
        network=line,
        first_mood_s=first,
        second_visit_s=again,
        readings_per_s=len(counted["delays"]) / counted["took"],
        upload_kb_per_s=counted["bytes"] / counted["took"] / 1000,
        latency_ms=statistics.median(counted["delays"]),
        latency_p95_ms=float(np.quantile(counted["delays"], 0.95)),
    )


def _first_mood(page: Page, url: str) -> float:
    """Open the page and press START; returns the seconds until the first mood."""
    page.goto(url)
    page.frame_locator('iframe[title*="webrtc"]').get_by_role("button", name="START").click()
    page.wait_for_function("counted.first")
    return page.evaluate("(counted.first - counted.start) / 1000")


@contextmanager
def _behind(app: RunningApp, line: Line) -> Iterator[str]:
    """The URL of an app behind an emulated network."""
    with event_loop() as loop:
        proxy = slow_line(urlsplit(app.url).port, line)
        port = asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            asyncio.run_coroutine_threadsafe(proxy.__aexit__(None, None, None), loop).result(10)
