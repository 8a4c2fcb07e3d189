"""Live video in Firefox (Debian's: `apt install firefox-esr`), driven by WebDriver BiDi.

Playwright has a Firefox of its own, which no Debian package installs.
"""

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.browser.conftest import jpeg
from tests.conftest import missing

pytestmark = pytest.mark.browser
FIREFOX = shutil.which("firefox-esr")
PATIENCE = 60  # s
PREFERENCES = {
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "media.autoplay.default": 0,
    "network.captive-portal-service.enabled": False,
}
# A camera that shows a picture.
CAMERA = """() => {
  const devices = MediaDevices.prototype;
  devices.enumerateDevices = async () => [{kind: "videoinput", deviceId: "one", label: "Camera"}];
  devices.getUserMedia = async () => {
    const picture = new Image();
    picture.src = "data:image/jpeg;base64,PICTURE";
    await picture.decode();
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 480;
    const pen = canvas.getContext("2d");
    setInterval(() => pen.drawImage(picture, 0, 0, 480, 480), 60);
    return canvas.captureStream(15);
  };
}"""
STAGE = "document.querySelector('iframe[title*=webrtc]')?.contentDocument"


class Firefox:
    """The page in a Firefox, over a WebSocket of WebDriver BiDi."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sent = 0
        self.send("session.new", capabilities={})
        self._page = self.send("browsingContext.getTree")["contexts"][0]["context"]

    def send(self, method: str, **parameters: object) -> dict[str, Any]:
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(PATIENCE))).get("id") != self._sent:
            pass  # an event
        assert answer["type"] == "success", answer
        return answer["result"]

    def open(self, address: str, script: str) -> None:
        """Open a page; `script` runs before its own."""
        self.send("script.addPreloadScript", functionDeclaration=script)
        self.send("browsingContext.navigate", context=self._page, url=address, wait="complete")

    def value(self, expression: str) -> Any:
        """What an expression gives: a string, a number, a truth value or None."""
        answer = self.send(
            "script.evaluate", expression=expression, target={"context": self._page}, awaitPromise=True
        )
        return answer["result"].get("value") if answer["type"] == "success" else None

    def wait(self, expression: str) -> Any:
        return wait_for(lambda: self.value(expression))


def wait_for(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as that is true."""
    give_up = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < give_up, "timed out"
        time.sleep(0.1)
    return found


@contextmanager
def firefox(profile: Path, **preferences: object) -> Iterator[Firefox]:
    """A Firefox with a profile of its own."""
    if FIREFOX is None:
        missing("Firefox is not installed: apt install firefox-esr")
    profile.mkdir()
    lines = (PREFERENCES | preferences).items()
    set_all = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in lines]
    profile.joinpath("user.js").write_text("".join(set_all))
    command = [FIREFOX, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
    log = profile / "log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            found = wait_for(lambda: re.search(r"BiDi listening on (ws://\S+)", log.read_text()))
            with connect(f"{found[1]}/session", max_size=None) as socket:
                yield Firefox(socket)
        finally:
            process.terminate()


@pytest.mark.parametrize("transport", ["WebRTC", "WebSocket"])
def test_start_shows_the_mood_and_a_vibe_check_its_result(start_app, tmp_path, astronaut, transport):
    app = start_app(VIBECHECK_VIDEO="webrtc" if transport == "WebRTC" else "auto")
    picture = base64.b64encode(jpeg(astronaut[:360, 60:420])).decode()
    with firefox(tmp_path / "profile", **{"media.peerconnection.enabled": transport == "WebRTC"}) as page:
        page.open(app.url, CAMERA.replace("PICTURE", picture))
        page.wait(f"{STAGE}?.querySelector('.start')?.checkVisibility()")
        page.wait("document.querySelector('.vc-rates') !== null")
        page.value(f"{STAGE}.querySelector('.start').click()")
        page.wait("document.querySelector('.vc-mood .name').textContent === 'Happy'")
        page.wait(f"{STAGE}.querySelector('.tag')?.textContent.startsWith('Happy')")
        assert page.value("document.querySelector('.vc-rates').textContent").startswith(transport)
        assert page.value(f"{STAGE}.querySelectorAll('#stage').length") == 1
        page.wait("document.querySelector('.st-key-check button:enabled') !== null")
        page.value("document.querySelector('.st-key-check button').click()")
        page.wait("document.querySelector('.vc-mood.result .name')?.textContent === 'Happy'")
        page.value(f"{STAGE}.querySelector('.stop').click()")
        page.wait(f"{STAGE}.querySelector('.start').checkVisibility()")
