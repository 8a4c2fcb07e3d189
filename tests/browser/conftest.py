"""The real app in a process of its own, and Chromium in front of it.

Debian's Chromium: `apt install chromium-headless-shell`. Another one is named by VIBECHECK_TEST_CHROMIUM.
"""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from benchmarks.harness.running import CHROMIUM, ROOT, RunningApp
from tests.conftest import missing

FLAGS = [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
]
SPOTIFY_STUB = "<body style='background:#282828;color:#fff;font:16px sans-serif'>Spotify</body>"
# What a page needs at most to show something, on two busy cores.
PATIENCE = 60
CONTEXTS = pytest.StashKey[list[BrowserContext]]()
expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="module")
def start_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningApp]]:
    """Starts apps, each with an empty data folder and the settings it is given; ends them with the module.

    `home` is the folder of the app's pages, `address` what it listens at, `flags` are more of Streamlit's.
    """
    running = []

    def start(
        *, home: Path = ROOT, address: str = "127.0.0.1", flags: Sequence[str] = (), **environment: str
    ) -> RunningApp:
        folder = tmp_path_factory.mktemp("app")
        plain = {"VIBECHECK_DATA": str(folder / "data"), "VIBECHECK_MODEL": "embedded"}
        app = RunningApp(
            folder / "log", home / "Home.py", address=address, flags=flags, **plain | environment
        )
        running.append(app)
        app.ready()
        return app

    yield start
    for app in running:
        app.stop()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright, for one module at a time: its event loop blocks every other one."""
    if not Path(CHROMIUM).is_file():
        missing(
            "Chromium is not installed: apt install chromium-headless-shell, or name one with "
            "VIBECHECK_TEST_CHROMIUM"
        )
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def launch(playwright: Playwright) -> Iterator[Callable[..., Browser]]:
    """Starts Chromium with more flags, or returns the one that runs with them; ends all with the module."""
    running: dict[tuple[str, ...], Browser] = {}

    def with_flags(*flags: str) -> Browser:
        if flags not in running or not running[flags].is_connected():
            running[flags] = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        return running[flags]

    yield with_flags
    for browser in running.values():
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Report with a failure what each open page and its frames showed, as a screen reader would read it."""
    report = yield
    if report.when == "call" and report.failed:
        for context in item.stash.get(CONTEXTS, ()):
            for frame in (frame for page in context.pages for frame in page.frames):
                with suppress(PlaywrightError):  # it may be what failed
                    report.sections.append((frame.url, frame.locator("body").aria_snapshot(timeout=5000)))
    return report


@pytest.fixture
def open_browser(
    launch: Callable[..., Browser], request: pytest.FixtureRequest
) -> Iterator[Callable[..., BrowserContext]]:
    """Opens browsers whose webcam plays a file (or Chromium's own test picture); closes them after the test.

    Each is a context of its own, without the cookies and storage of others. Left open, their video would take
    the cores from the tests that follow.
    """
    contexts = request.node.stash[CONTEXTS] = []

    def open_one(webcam: Path | None = None, flags: Sequence[str] = (), **options) -> BrowserContext:
        extra = [f"--use-file-for-fake-video-capture={webcam}"] if webcam else []
        # Without a GPU, animations take a fifth of a core; test_stage tests them.
        defaults = {
            "viewport": {"width": 1440, "height": 1000},
            "permissions": ["camera"],
            "reduced_motion": "reduce",
        }
        context = launch(*extra, *flags).new_context(**defaults | options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        context.route(
            "**://open.spotify.com/**",
            lambda route: route.fulfill(status=200, content_type="text/html", body=SPOTIFY_STUB),
        )
        return context

    yield open_one
    for context in contexts:
        context.close()


def jpeg(picture: np.ndarray, **options) -> bytes:
    """A picture (H x W x 3 uint8 RGB) as a camera or a visitor sends it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", **options)
    return file.getvalue()


def upload(page: Page, name: str, content: bytes, mime: str = "image/jpeg") -> None:
    page.get_by_role("radio", name="Upload").click()
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": mime, "buffer": content})
    expect(page.get_by_role("button", name=f"Remove {name}")).to_be_visible()


def check_my_vibe(page: Page) -> None:
    page.get_by_role("button", name="Check my vibe").click()


def settled(page: Page) -> None:
    """Wait until the script of the page has run, so that what was pressed before has had its effect."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def answer_no(page: Page) -> None:
    """Say that the mood was not right; the moods follow."""
    page.get_by_role("radio", name="No…").click()


def keep(page: Page, choice: str) -> None:
    """Change what may be kept, under the stage."""
    page.get_by_role("button", name="Change").click()
    page.get_by_text(choice).click()
    page.keyboard.press("Escape")


def spotify_player(page: Page) -> Locator:
    """The player's iframe."""
    return page.locator('iframe[src*="open.spotify.com/embed/playlist/"]')


def mark(node: Locator) -> None:
    """Write a mark on a node, as soon as it is there, to see later whether it is still the same node."""
    node.evaluate("node => { node.dataset.mark = 'kept' }")


def marked(node: Locator) -> bool:
    return node.evaluate("node => node.dataset.mark === 'kept'")


def look(page: Page, name: str) -> None:
    """Keep a screenshot, where VIBECHECK_TEST_SCREENSHOTS names a folder."""
    if folder := os.environ.get("VIBECHECK_TEST_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
