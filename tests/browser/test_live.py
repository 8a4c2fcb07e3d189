"""A visitor in front of a camera: START, live video with a mood on it, a vibe check."""

import io
import os
import re
import signal
import sqlite3
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import BrowserContext, Frame, Locator, Page, expect

from benchmarks.harness.running import RunningApp
from benchmarks.harness.visitors import moving_head, portrait
from tests.browser.conftest import look, mark, marked, spotify_player
from tests.conftest import SHARED
from vibecheck.emotions import EMOTIONS

pytestmark = pytest.mark.browser
MOODS = re.compile("|".join(["Hard to tell", *(emotion.title for emotion in EMOTIONS)]))
RATES = re.compile(r"[1-9]\d* frames/s · [1-9]\d* readings/s")
FRAMES = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"


def without_smile(head: np.ndarray) -> np.ndarray:
    """The portrait with its mouth out of focus, which reads as neutral."""
    mask = cv2.ellipse(np.zeros(head.shape[:2]), (121, 143), (40, 24), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)[..., np.newaxis]
    return (cv2.GaussianBlur(head, (0, 0), 6) * mask + head * (1 - mask)).astype(np.uint8)


def as_webcam(path: Path) -> Path:
    """A file that Chromium plays as its webcam: the recorded actor, or a moving portrait without it."""
    recorded = SHARED / "video" / "cremad_1001_six_emotions.mp4"
    with path.open("wb") as out:
        if recorded.is_file():
            with av.open(str(recorded)) as video:
                for frame in video.decode(video=0):
                    frame.to_image().save(out, "JPEG", quality=90)
        else:
            for head in (portrait(), without_smile(portrait())):
                for picture in moving_head(steps=90, head=head):
                    Image.fromarray(picture).save(out, "JPEG", quality=90)
    return path


# What a browser says once its user has said no.
DENIED = """
const query = navigator.permissions.query.bind(navigator.permissions);
navigator.permissions.query = async (what) => {
  const status = await query(what);
  if (what.name === "camera") Object.defineProperty(status, "state", { value: "denied" });
  return status;
};
"""

# Lets a test ask a page's connections how they are.
CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
  construct: (target, args) => connections[connections.push(new target(...args)) - 1],
});
"""


@pytest.fixture(scope="module")
def app(start_app):
    return start_app(VIBECHECK_AUDIT_SHARE="1")


@pytest.fixture(scope="module")
def webcam(tmp_path_factory) -> Path:
    return as_webcam(tmp_path_factory.mktemp("webcam") / "webcam.mjpeg")


@pytest.fixture
def page(app, open_browser, webcam) -> Page:
    return opened(app, open_browser(webcam))


def opened(app: RunningApp, context: BrowserContext, *scripts: str) -> Page:
    """The page in a browser that runs these scripts before any of a page's own."""
    for script in scripts:
        context.add_init_script(script)
    page = context.new_page()
    page.goto(app.url)
    return page


def video_frame(page: Page) -> Frame:
    """The document in which streamlit-webrtc shows the video."""
    expect(page.locator('iframe[title*="webrtc"]')).to_be_visible()
    page.wait_for_timeout(500)
    return next(frame for frame in page.frames if "webrtc" in frame.url)


def start(page: Page) -> Frame:
    """Press START and wait until video comes back."""
    frame = video_frame(page)
    frame.get_by_role("button", name="START").click()
    frame.wait_for_selector("video")
    frame.wait_for_function(f"{FRAMES} > 5")
    return frame


def stop(page: Page) -> None:
    video_frame(page).get_by_role("button", name="Stop the camera").click()
    expect(video_frame(page).get_by_role("button", name="START")).to_be_visible()
    expect(page.locator(".st-key-check-place button")).to_have_count(0)


def trouble(page: Page) -> Locator:
    """The sentence on the stage about what is in the way of the camera."""
    return page.frame_locator('iframe[title*="webrtc"]').get_by_role("alert")


def offers_pictures(page: Page) -> None:
    """A photo and an upload are offered beside the sentence, and the upload is one press away."""
    frame = page.frame_locator('iframe[title*="webrtc"]')
    expect(frame.get_by_role("button", name="Take a photo")).to_be_visible()
    frame.get_by_role("button", name="Upload a picture").click()
    expect(page.locator("input[type=file]")).to_be_attached()


def picture_of(frame: Frame) -> np.ndarray:
    """What the visitor sees of the camera now, with what is drawn over it, as H x W x 3, 640 px wide."""
    shown = Image.open(io.BytesIO(frame.locator("video").screenshot())).convert("RGB")
    return np.asarray(shown.resize((640, 640 * shown.height // shown.width), Image.Resampling.NEAREST))


def mood(page: Page) -> Locator:
    return page.locator(".vc-mood .name")


def test_live_from_start_to_an_answer(app, page):
    look(page, "live-before")
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)

    # The video advances at the camera's rate, and the page beside it changes without being drawn anew.
    mark(page, ".vc-mood")
    before = frame.evaluate(FRAMES)
    moods, boxed = set(), 0
    for i in range(30):
        page.wait_for_timeout(500)
        moods.add(mood(page).inner_text())
        boxed += i % 3 == 0 and has_box(picture_of(frame))
    frames = frame.evaluate(FRAMES) - before
    assert frames > 30 * 0.5 * 10, "at least ten frames a second came back"
    assert len(moods) >= 2, moods
    assert boxed >= 8, "of ten pictures at least eight show the box on the face"
    assert marked(page, ".vc-mood")
    page.locator(".vc-details summary").click()
    expect(page.get_by_text(RATES)).to_be_visible()
    look(page, "live-playing")

    page.get_by_role("button", name="Check my vibe").click()
    player = spotify_player(page)
    expect(player).to_be_visible()
    mark(page, 'iframe[src*="open.spotify.com"]')
    page.get_by_role("radio", name="Yes").click()
    expect(page.get_by_text("Noted:")).to_be_visible()
    look(page, "live-answered")
    # The music plays on, and so does the video.
    before = frame.evaluate(FRAMES)
    page.wait_for_timeout(2000)
    assert frame.evaluate(FRAMES) - before > 15
    assert marked(page, 'iframe[src*="open.spotify.com"]')
    # It plays on when the camera is stopped, too, and when another way in is chosen.
    stop(page)
    page.get_by_role("radio", name="Upload").click()
    expect(page.get_by_text("A picture with a face")).to_be_visible()
    assert marked(page, 'iframe[src*="open.spotify.com"]')

    database = sqlite3.connect(app.data / "vibecheck.db")
    ((prediction, source, answered),) = database.execute("SELECT id, source, mood FROM predictions")
    assert source == "live"
    assert database.execute("SELECT prediction_id, label FROM feedback").fetchall() == [
        (prediction, answered)
    ]
    database.close()

    maps = Path(f"/proc/{app.pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert "libtorch" not in maps, "the web process never imports torch"


def has_box(picture: np.ndarray) -> bool:
    """Whether two sides of a box are in the picture: long thin lines down it in one mood's colour."""
    for emotion in EMOTIONS:
        apart = np.abs(picture.astype(int) - ImageColor.getrgb(emotion.colour)).max(axis=2)
        near = apart < 40
        thin = near[:, 12:-12] & ~near[:, 24:] & ~near[:, :-24]
        columns = np.flatnonzero(thin.sum(axis=0) > 65)
        if columns.size and 50 < np.ptp(columns) < 250:
            return True
    return False


def test_the_camera_works_again_after_going_away_and_back(page, app):
    start(page)
    page.get_by_role("radio", name="Upload").click()
    expect(page.get_by_text("A picture with a face")).to_be_visible()
    page.get_by_role("radio", name="Live").click()
    start(page)
    page.get_by_role("link", name="About").click()
    expect(page.get_by_role("heading", name="Expressions, not feelings")).to_be_visible()
    page.get_by_role("link", name="Home").click()
    start(page)
    page.goto("about:blank")
    page.goto(app.url)
    frame = start(page)
    before = frame.evaluate(FRAMES)
    page.wait_for_timeout(2000)
    assert frame.evaluate(FRAMES) - before > 15


def test_stop_leaves_the_page_ready_for_another_start(page):
    start(page)
    stop(page)
    start(page)
    expect(page.get_by_role("button", name="Check my vibe")).to_be_enabled()


def test_a_moment_without_connection_does_not_end_the_video(app, open_browser, webcam):
    page = opened(app, open_browser(webcam), CONNECTIONS)
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)
    state = "connections.at(-1).connectionState"
    os.kill(app.pid, signal.SIGSTOP)  # as on a machine that has no time for it
    try:
        frame.wait_for_function(f"{state} === 'disconnected'")
    finally:
        os.kill(app.pid, signal.SIGCONT)
    frame.wait_for_function(f"{state} === 'connected'")
    page.wait_for_timeout(1500)  # streamlit-webrtc takes half a second to close a connection
    assert frame.evaluate(state) == "connected"
    expect(frame.get_by_role("button", name="Stop the camera")).to_be_visible()
    expect(mood(page)).to_have_text(MOODS)
    expect(page.get_by_role("button", name="Check my vibe")).to_be_enabled()
    page.locator(".vc-details summary").click()
    expect(page.get_by_text(RATES)).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def test_while_no_pictures_arrive_the_page_keeps_the_mood_and_says_so(app, open_browser, webcam):
    page = opened(app, open_browser(webcam), CONNECTIONS)
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)
    frame.evaluate("window.sender = connections[0].getSenders()[0]; window.held = sender.track")
    frame.evaluate("sender.replaceTrack(null)")
    expect(page.locator(".vc-mood.late")).to_be_visible()
    expect(page.locator(".vc-hint")).to_contain_text("No pictures arrive just now")
    expect(mood(page)).to_have_text(MOODS)  # what was read last stays
    page.get_by_role("button", name="Check my vibe").click()
    expect(page.get_by_test_id("stAlert")).to_contain_text("No pictures arrive just now")
    look(page, "live-waiting")
    frame.evaluate("sender.replaceTrack(held)")
    expect(page.locator(".vc-mood.late")).to_have_count(0)


def test_nobody_in_front_of_the_camera(app, open_browser, tmp_path, empty_room):
    empty = tmp_path / "empty.mjpeg"
    file = io.BytesIO()
    Image.fromarray(empty_room).resize((640, 480)).save(file, "JPEG")
    empty.write_bytes(file.getvalue() * 30)
    page = opened(app, open_browser(empty))
    start(page)
    expect(mood(page)).to_have_text("No face")
    look(page, "live-nobody")
    page.get_by_role("button", name="Check my vibe").click()
    expect(page.get_by_test_id("stAlert")).to_contain_text("No face was found")


def test_a_refused_camera_offers_an_upload_at_once(app, open_browser):
    page = opened(app, open_browser(permissions=[]), DENIED)
    expect(trouble(page)).to_contain_text("The camera is not allowed")
    look(page, "live-refused")
    offers_pictures(page)


def test_without_a_camera_an_upload_is_offered_at_once(app, open_browser):
    nothing = "navigator.mediaDevices.enumerateDevices = async () => [];"
    # Some browsers say "denied" where there is nothing to allow.
    page = opened(app, open_browser(permissions=[]), DENIED, nothing)
    expect(trouble(page)).to_contain_text("No camera was found")
    offers_pictures(page)


def test_video_that_does_not_get_through_is_said_after_some_seconds(app, open_browser, webcam):
    lost = "RTCPeerConnection.prototype.setRemoteDescription = async function () {};"  # the answer
    context = open_browser(webcam)
    context.route_web_socket("**/video", lambda socket: socket.close())
    page = opened(app, context, lost)
    video_frame(page).get_by_role("button", name="START").click()
    frame = video_frame(page)
    expect(frame.get_by_role("button", name="Stop the camera")).to_be_visible()
    expect(frame.get_by_text("does not get through")).to_be_visible()
    expect(frame.get_by_role("button", name="Take a photo")).to_be_visible()
    look(page, "live-unconnected")


# What a browser does when the network to the app is gone: nothing arrives any more, and seconds later the
# connection has failed.
BREAK_OFF = """
const Connection = window.RTCPeerConnection;
window.RTCPeerConnection = function (...options) {
  const connection = new Connection(...options);
  window.breakOff = async () => {
    for (const sender of connection.getSenders()) await sender.replaceTrack(null);
    await new Promise((resolve) => setTimeout(resolve, 4000));
    Object.defineProperty(connection, "connectionState", { value: "failed" });
    connection.dispatchEvent(new Event("connectionstatechange"));
  };
  return connection;
};
"""


def test_video_that_breaks_off_is_said_and_can_be_started_again(app, open_browser, webcam):
    page = opened(app, open_browser(webcam), BREAK_OFF)
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)
    frame.evaluate("window.breakOff()")
    expect(trouble(page)).to_contain_text("The video broke off")
    expect(frame.get_by_role("button", name="Take a photo")).to_be_visible()
    look(page, "live-broke-off")
    start(page)
    expect(trouble(page)).to_have_count(0)
    stop(page)
    expect(trouble(page)).to_have_count(0)  # it was meant


# Asking for the camera fails in the way that a test names.
FAILING = """
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (constraints) => {
  if (window.failure) throw new DOMException("", window.failure);
  return ask(constraints);
};
"""


def test_each_failure_of_the_camera_is_a_sentence_and_the_next_start_works(app, open_browser, webcam):
    page = opened(app, open_browser(webcam), FAILING)
    frame = video_frame(page)
    for failure, sentence in (
        ("NotReadableError", "another program may be using it"),
        ("AbortError", "another program may be using it"),
        ("OverconstrainedError", "Choose another camera"),
        ("NotFoundError", "No camera was found"),
        ("NotAllowedError", "The camera is not allowed"),
    ):
        frame.evaluate("(name) => { window.failure = name }", failure)
        frame.get_by_role("button", name="START").click()
        expect(trouble(page)).to_contain_text(sentence)
        expect(frame.get_by_role("button", name="Upload a picture")).to_be_visible()
    look(page, "live-busy")
    frame.evaluate("window.failure = ''")
    start(page)
    expect(trouble(page)).to_have_count(0)


def test_the_camera_starts_by_itself_where_the_visitor_chose_so(app, open_browser, webcam):
    page = opened(app, open_browser(webcam))
    video_frame(page).locator(".off").get_by_text("Start by itself next time").click()
    frame = start(page)
    # The picture is a mirror's, and so are the boxes; the menu names the cameras.
    transform = frame.eval_on_selector("video", "video => getComputedStyle(video).transform")
    assert transform.startswith("matrix(-1, 0, 0, 1")
    frame.get_by_role("button", name="Camera settings").click()
    expect(frame.get_by_label("Camera", exact=True)).to_have_value(re.compile("."))
    look(page, "live-settings")
    page.keyboard.press("Escape")
    expect(mood(page)).to_have_text(MOODS)
    page.keyboard.press("c")  # the focus is in the stage's frame
    expect(page.locator(".vc-mood.result")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".vc-mood.result")).to_have_count(0)
    page.reload()
    frame = video_frame(page)
    frame.wait_for_selector("video")
    frame.wait_for_function(f"{FRAMES} > 5")


def test_live_video_costs_streamlits_connection_next_to_nothing(app, open_browser, webcam):
    page = open_browser(webcam).new_page()
    messages = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda _: messages.append(socket.url)))
    page.goto(app.url)
    start(page)
    expect(mood(page)).to_have_text(MOODS)
    page.wait_for_timeout(3000)  # the runs of the start are over
    del messages[:]
    page.wait_for_timeout(8000)
    assert sum("_stcore/stream" in each for each in messages) < 2 * 8
