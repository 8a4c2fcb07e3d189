"""The running app in its own processes, with real servers, and visitors who connect over the network."""

from collections.abc import Callable, Iterator
from io import BytesIO

import pytest
from PIL import Image
from skimage import data

from benchmarks.harness.page_client import Visitor
from benchmarks.harness.running import RunningApp

UPLOAD, NUMBERS, FACE, NOTHING = 2, 0, 1, 2
NO = 1  # of "Was this right?"; the moods follow


@pytest.fixture(scope="module")
def run_app(tmp_path_factory) -> Iterator[Callable[..., RunningApp]]:
    """Starts apps, each with its own data folder and the given settings; ends them after the module."""
    running = []

    def start(**environment: str) -> RunningApp:
        folder = tmp_path_factory.mktemp("app")
        plain = {
            "VIBECHECK_DATA": str(folder / "data"),
            "VIBECHECK_MODEL": "embedded",
            "VIBECHECK_AUDIT_SHARE": "1",
        }
        running.append(RunningApp(folder / "log", **plain | environment))
        return running[-1]

    yield start
    for app in running:
        app.stop()


def photo(light: float = 1.0) -> bytes:
    """Somebody smiling, as a phone sends it."""
    file = BytesIO()
    Image.fromarray(data.astronaut()).point(lambda value: value * light).save(file, "JPEG")
    return file.getvalue()


def check_vibe(tab: Visitor, keep: int = FACE, content: bytes | None = None) -> str:
    """Upload a photo and check it; returns the id that is shown."""
    tab.pick("way", UPLOAD)
    tab.pick("keep", keep)
    tab.upload("upload", "me.jpg", content or photo())
    tab.press("check")
    assert tab.errors() == []
    return tab.find("answer-").id.rpartition("-")[2]


def said(app: RunningApp) -> str:
    """What the app wrote to its terminal."""
    return app.log.read_text(encoding="utf-8", errors="replace")
