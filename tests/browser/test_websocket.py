"""Live video in a browser that may not use UDP: over the page's own connection."""

import re
import time

import pytest
from playwright.sync_api import expect

from benchmarks.harness.running import NO_UDP
from tests.browser.conftest import look
from tests.browser.test_live import CONNECTIONS, MOODS, as_webcam, mood, opened, stop, video_frame
from tests.records.rows import rows_in

pytestmark = pytest.mark.browser
RATES = re.compile(r"WebSocket · [1-9]\d* frames/s · [1-9]\d* readings/s")
WITHIN = 30.0  # s; 2 on an idle machine


def test_live_video_uses_the_pages_websocket_if_udp_is_blocked(start_app, open_browser, tmp_path):
    app = start_app()
    context = open_browser(as_webcam(tmp_path / "webcam.mjpeg"), NO_UDP)
    page = opened(app, context, CONNECTIONS)
    for visit in ("first", "next"):
        frame = video_frame(page)
        start = time.monotonic()
        frame.get_by_role("button", name="START").click()
        expect(mood(page)).to_have_text(MOODS)
        expect(page.locator(".vc-rates")).to_have_text(RATES)
        assert time.monotonic() - start < WITHIN
        assert frame.evaluate("connections.length") == (visit == "first"), (
            "what failed last time is not tried again"
        )
        look(page, f"websocket-{visit}")
        if visit == "first":
            page.get_by_role("button", name="Check my vibe").click()
            expect(page.get_by_role("button", name="Check again")).to_be_visible()
            page.goto(app.url)
    stop(page)
    expect(page.get_by_role("button", name="Check my vibe")).to_have_count(0)
    assert rows_in(app.data, "SELECT source FROM predictions") == [("live",)]
