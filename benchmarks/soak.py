"""Soak test: memory of the app and frame rate of the video while a camera stays on.

The real app, and a real Chromium with a fake webcam that makes a vibe check every few seconds. The resident
memory of the app's process is sampled throughout.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import Frame, Page, sync_playwright

from benchmarks.harness.running import CHROMIUM, RunningApp
from benchmarks.harness.visitors import moving_head

FLAGS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-gpu",
    "--disable-dev-shm-usage",
)
FRAMES = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
CHECK_EVERY = 10.0  # s
SAMPLE_EVERY = 1.0  # s
# Share of the time that is not counted, while caches and pools fill.
WARM_UP = 0.3


@dataclass(frozen=True)
class Soak:
    """One long stream. `trend_mb` is the rise of the least-squares trend of memory after the warm-up,
    `trend_mb_per_hour` the same per hour, `fps_received` the frames displayed per second, and `disconnects`
    how often the video ended by itself and was restarted.
    """

    minutes: float
    checks: int
    disconnects: int
    fps_received: float
    median_mb: float
    peak_mb: float
    trend_mb: float
    trend_mb_per_hour: float
    threads: int


def soak(minutes: float, folder: Path, tell: Callable[[float, float], None] = lambda done, mb: None) -> Soak:
    """Stream to an app with its data in `folder`. `tell` is called with minutes and megabytes."""
    app = RunningApp(folder / "log", VIBECHECK_DATA=str(folder / "data"), VIBECHECK_MODEL="embedded")
    try:
        app.ready()
        with chromium(folder) as open_page:
            page = open_page()
            page.goto(app.url)
            return _stream(page, app, minutes * 60, tell)
    finally:
        app.stop()


def run(minutes: float, tell: Callable[[float, float], None] = lambda done, mb: None) -> list[dict]:
    """One row, see `soak`."""
    with tempfile.TemporaryDirectory() as folder:
        return [asdict(soak(minutes, Path(folder), tell))]


def _stream(page: Page, app: RunningApp, seconds: float, tell: Callable[[float, float], None]) -> Soak:
    frame = _start(page)
    process = psutil.Process(app.pid)
    began = next_check = time.monotonic()
    frames = -frame.evaluate(FRAMES)
    times, megabytes, checks, disconnects, last = [], [], 0, 0, 0
    while (now := time.monotonic() - began) < seconds:
        times.append(now)
        megabytes.append(process.memory_info().rss / (1 << 20))
        tell(now / 60, megabytes[-1])
        if frame.get_by_role("button", name="START").count():
            frame, disconnects = _start(page), disconnects + 1  # a new element, which counts from zero
            frames += last
        last = frame.evaluate(FRAMES) if frame.locator("video").count() else 0
        check, again = (page.get_by_role("button", name=name) for name in ("Check my vibe", "Check again"))
        if time.monotonic() >= next_check and again.count():
            again.click()  # back to the live mood
        elif time.monotonic() >= next_check and check.count():
            check.click()
            checks, next_check = checks + 1, time.monotonic() + CHECK_EVERY
        page.wait_for_timeout(SAMPLE_EVERY * 1000)
    took = time.monotonic() - began
    frames += last
    warm = [(at, mb) for at, mb in zip(times, megabytes, strict=True) if at >= WARM_UP * seconds]
    seconds_in, megabytes_then = zip(*warm, strict=True)
    slope = float(np.polyfit(seconds_in, megabytes_then, deg=1)[0])  # MB a second
    return Soak(
        minutes=took / 60,
        checks=checks,
        disconnects=disconnects,
        fps_received=frames / took,
        median_mb=statistics.median(mb for _, mb in warm),
        peak_mb=max(megabytes),
        trend_mb=slope * (1 - WARM_UP) * seconds,
        trend_mb_per_hour=slope * 3600,
        threads=process.num_threads(),
    )


def _start(page: Page) -> Frame:
    """Press START and wait until video comes back."""
    page.set_default_timeout(90_000)
    page.locator('iframe[title*="webrtc"]').wait_for()
    page.wait_for_timeout(500)
    frame = next(frame for frame in page.frames if "webrtc" in frame.url)
    frame.get_by_role("button", name="START").click()
    frame.wait_for_selector("video")
    frame.wait_for_function(f"{FRAMES} > 5")
    page.locator(".vc-mood .name").wait_for()
    return frame


@contextmanager
def chromium(folder: Path, *flags: str) -> Iterator[Callable[[], Page]]:
    """Opens pages of a Chromium, each in a profile of its own; its webcam plays a file again and again."""
    path = folder / "webcam.mjpeg"
    with path.open("wb") as out:
        for picture in moving_head(steps=90):
            Image.fromarray(picture).save(out, "JPEG", quality=90)

    def open_page() -> Page:
        page = browser.new_context(permissions=["camera"]).new_page()
        page.route("**://open.spotify.com/**", lambda route: route.fulfill(status=200, body="Spotify"))
        return page

    with sync_playwright() as playwright:
        all_flags = [*FLAGS, *flags, f"--use-file-for-fake-video-capture={path}"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=all_flags)
        yield open_page
        browser.close()
