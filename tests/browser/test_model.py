"""The model that runs, and the next one while it is downloaded and built."""

import re
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from benchmarks.inference import make_models
from tests.browser.conftest import check_my_vibe, look
from tests.browser.test_live import FRAMES, MOODS, as_webcam, mood, start
from tests.records.rows import rows_in
from tests.standins import models
from tests.standins.hub import REPO, serving_hub
from vibecheck.models.registry import Registry
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED

pytestmark = pytest.mark.browser
NOWHERE = "http://127.0.0.1:9"


def install(data: Path, version: str, folder: Path = EMBEDDED) -> Registry:
    """Make a folder's model ready there under a name; returns the registry that knows it."""
    settings = Settings(data=data)
    registry = Registry.open(settings)
    models.install(settings, registry, version, folder)
    return registry


def test_offline_default_model_is_reported_in_one_line_of_the_details(start_app, open_browser, tmp_path):
    app = start_app(VIBECHECK_MODEL="", HF_ENDPOINT=NOWHERE, HF_HOME=str(tmp_path))
    page = open_browser().new_page()
    page.goto(app.url)
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar).to_contain_text("Model: embedded-3.")
    expect(sidebar).to_contain_text(re.compile(r"The Hub cannot be reached for dima806/.*embedded-3 stays\."))
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    look(page, "model-offline")


def test_download_of_a_model_shows_its_progress(start_app, open_browser, tmp_path):
    with serving_hub(EMBEDDED) as hub:
        hub.pause = 1.0
        app = start_app(VIBECHECK_MODEL=REPO, HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path))
        page = open_browser().new_page()
        page.goto(app.url)
        sidebar = page.get_by_test_id("stSidebar")
        expect(sidebar).to_contain_text(re.compile(r"Fetching another model: [1-9]\d* of 8 MB"))
        expect(sidebar.get_by_role("progressbar")).to_be_visible()
        expect(sidebar).to_contain_text("Model: embedded-3")
        expect(sidebar.get_by_text("Next: owner/name")).to_be_hidden()  # behind Details
        # On a phone the sidebar is folded, so the page itself tells; here it need not.
        expect(page.locator(".st-key-model-news")).to_be_hidden()
        look(page, "model-fetching")
        page.set_viewport_size({"width": 390, "height": 844})
        page.reload()
        told = page.locator(".st-key-model-news")
        expect(told.get_by_role("progressbar")).to_be_visible()
        expect(told).to_contain_text(re.compile("Fetching another model|Compiling|Checking"))
        look(page, "model-fetching-phone")
        app.stop()  # or it would compile beside the tests that follow


def test_a_new_champion_runs_within_seconds_while_the_video_goes_on(start_app, open_browser, tmp_path):
    app = start_app()
    page = open_browser(as_webcam(tmp_path / "webcam.mjpeg")).new_page()
    page.goto(app.url)
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar).to_contain_text("Model: embedded-3")

    registry = install(app.data, "second")
    before = frame.evaluate(FRAMES)
    registry.promote("second", "a test", datetime.now(UTC), override=True)
    expect(sidebar).to_contain_text("Model: second", timeout=60_000)
    frame.wait_for_function(f"{FRAMES} > {before + 15}")
    check_my_vibe(page)
    expect(page.locator(".vc-mood.result .name")).to_be_visible()  # clear or hard to tell
    assert rows_in(app.data, "SELECT model_version FROM predictions") == [("second",)]
    page.get_by_role("link", name="About").click()
    expect(page.get_by_text("On this machine it runs as fp32")).to_be_attached()
    look(page, "model-about")
    registry.rollback(datetime.now(UTC))
    expect(sidebar).to_contain_text("Model: embedded-3", timeout=60_000)
    registry.close()


def test_with_a_vit_b16_the_app_stays_under_650_mb_and_without_torch(start_app, open_browser, tmp_path):
    app = start_app()
    folders = [tmp_path / name for name in ("vit", "fp32", "int8")]
    make_models(*folders)
    registry = install(app.data, "vit", folders[-1])
    page = open_browser(as_webcam(tmp_path / "webcam.mjpeg")).new_page()
    page.goto(app.url)
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar).to_contain_text("Model: embedded-3")
    start(page)
    expect(mood(page)).to_have_text(MOODS)
    registry.promote("vit", "a test", datetime.now(UTC), override=True)
    registry.close()
    expect(sidebar).to_contain_text("Model: vit")
    for _ in range(10):
        page.wait_for_timeout(1000)
        used = psutil.Process(app.pid).memory_info().rss / 2**20
        assert used < 650, f"{used:.0f} MB"
    expect(mood(page)).to_have_text(MOODS)
    assert "libtorch" not in Path(f"/proc/{app.pid}/maps").read_text()
