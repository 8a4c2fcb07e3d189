"""python -m docs.screenshots FOLDER: the pictures in README.md, taken of the real app with synthetic records.

The visitor is Eileen Collins (NASA, public domain), as scikit-image ships her; the camera is a file that
Chromium plays. It needs requirements-dev.txt and Chromium (VIBECHECK_TEST_CHROMIUM names another one).
"""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from skimage import data

from benchmarks.harness.running import CHROMIUM, ROOT, running_app
from tests.browser.conftest import FLAGS

WIDE = ViewportSize(width=1440, height=900)
PHONE = ViewportSize(width=390, height=1180)
SECONDS = 60
# Spotify's player is Spotify's, and needs the network: its place is marked.
PLAYER = """<body style="margin:0;height:100vh;display:grid;place-items:center;border-radius:12px;
background:#1E2330;color:#98A2B3;font:16px sans-serif">Spotify's player</body>"""


def main(folder: Path) -> None:
    """Takes all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=SECONDS * 1000)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        webcam = _webcam(Path(made) / "webcam.mjpeg")
        history = Path(made) / "history"
        made_up = [sys.executable, "-m", "vibecheck", "demo", "--out", str(history), "--pictures", "400"]
        subprocess.run(made_up, cwd=ROOT, check=True)
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, f"--use-file-for-fake-video-capture={webcam}"]
        )
        for records, shots in (
            (Path(made) / "new", (("home", WIDE, "", _live), ("phone", PHONE, "", _live))),
            (
                history,
                (
                    ("corrections", WIDE, "Corrections", _labelling),
                    ("dashboard", WIDE, "Dashboard", _figures),
                ),
            ),
        ):
            with running_app(VIBECHECK_DATA=str(records), VIBECHECK_AUDIT_SHARE="1") as app:
                for name, size, path, prepare in shots:
                    page = _open(browser, size, app.link(path))
                    prepare(page)
                    _keep(page.screenshot(), folder / f"{name}.png")
                    page.context.close()
        browser.close()


def _live(page: Page) -> None:
    frame = page.frame_locator('iframe[title*="webrtc"]')
    frame.get_by_role("button", name="START").click()
    expect(page.locator(".vc-mood .name")).to_have_text("Happy")
    page.wait_for_timeout(4000)  # the video, and the bars, have settled
    page.get_by_role("button", name="Check my vibe").click()
    expect(page.locator(".vc-mood.result")).to_be_visible()
    page.wait_for_timeout(2000)


def _labelling(page: Page) -> None:
    page.get_by_role("radio", name="Useful").click()
    expect(page.get_by_role("button", name="Older")).to_have_count(0)
    expect(page.locator(".vc-thumb").first).to_be_visible()
    page.wait_for_timeout(2000)


def _figures(page: Page) -> None:
    page.get_by_role("button", name="This week").click()
    page.get_by_role("radio", name="4 weeks").click()
    page.keyboard.press("Escape")
    expect(page.locator(".vcd-number")).to_be_visible()
    expect(page.locator("canvas, .stVegaLiteChart svg").first).to_be_visible()
    page.wait_for_timeout(6000)  # charts are drawn one after another


def _open(browser: Browser, size: ViewportSize, address: str) -> Page:
    context = browser.new_context(viewport=size, permissions=["camera"], timezone_id="Europe/Berlin")
    context.route(
        "**://open.spotify.com/**",
        lambda route: route.fulfill(status=200, content_type="text/html", body=PLAYER),
    )
    page = context.new_page()
    page.goto(address)
    expect(page.locator("h1")).to_be_visible()
    return page


def _keep(png: bytes, path: Path) -> None:
    """256 colours are enough for a page, and a quarter of the bytes."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    few = picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG)
    few.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1024} kB")  # noqa: T201


def _webcam(path: Path) -> Path:
    """A portrait that sways a little, as a camera that Chromium plays over and over."""
    room = Image.fromarray(data.astronaut()).crop((0, 0, 448, 336)).resize((672, 504))
    with path.open("wb") as out:
        for step in (*range(30), *range(30, 0, -1)):
            room.crop((step // 3, 8, step // 3 + 640, 488)).save(out, "JPEG", quality=92)
    return path


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
