"""A visitor in front of a camera: START, live video with a mood on it, a vibe check."""

import io
import os
import re
import signal
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import BrowserContext, Frame, Locator, Page, Route, WebSocketRoute, expect

from benchmarks.harness.running import RunningApp
from benchmarks.harness.visitors import moving_head, portrait
from tests.browser.conftest import look, mark, marked, settled, spotify_player
from tests.conftest import SHARED, missing
from tests.records.rows import rows_in
from vibecheck.emotions import EMOTIONS
from vibecheck.records.db.tables import PROBABILITIES

pytestmark = pytest.mark.browser
MOODS = re.compile("|".join(["Hard to tell", *(emotion.headline for emotion in EMOTIONS)]))
RATES = re.compile(r"[1-9]\d* frames/s · [1-9]\d* readings/s")
RECORDED = SHARED / "video" / "cremad_1001_six_emotions.mp4"
FRAMES = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"


def without_smile(head: np.ndarray) -> np.ndarray:
    """The portrait with its mouth out of focus, which reads as neutral."""
    mask = cv2.ellipse(np.zeros(head.shape[:2]), (121, 150), (45, 30), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)[..., np.newaxis]
    return (cv2.GaussianBlur(head, (0, 0), 14) * mask + head * (1 - mask)).astype(np.uint8)


def as_webcam(path: Path, recorded: bool = True) -> Path:
    """A file that Chromium plays as its webcam: the recorded actor if it is here, or a moving portrait."""
    path.write_bytes(pictures_of_a_webcam(recorded and RECORDED.is_file()))
    return path


@cache
def pictures_of_a_webcam(recorded: bool) -> bytes:
    """JPEGs, one after the other, of the recorded actor or of a moving portrait."""
    out = io.BytesIO()
    if recorded:
        with av.open(str(RECORDED)) as video:
            for frame in video.decode(video=0):
                frame.to_image().save(out, "JPEG", quality=90)
    else:
        for head in (portrait(), without_smile(portrait())):
            for picture in moving_head(steps=90, head=head):
                Image.fromarray(picture).save(out, "JPEG", quality=90)
    return out.getvalue()


# Lets a test ask a page's connections how they are.
CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
  construct: (target, args) => connections[connections.push(new target(...args)) - 1],
});
"""
# Keeps the connection open and the camera on, and sends none of its pictures.
SEND_NOTHING = """() => {
  window.sender = connections.at(-1).getSenders()[0];
  window.held = sender.track;
  return sender.replaceTrack(null);
}"""


@pytest.fixture(scope="module")
def app(start_app):
    return start_app(VIBECHECK_AUDIT_SHARE="1")


@pytest.fixture(scope="module")
def webrtc_only(start_app):
    return start_app(VIBECHECK_VIDEO="webrtc")


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
    page.wait_for_timeout(500)
    frame = page.locator('iframe[title*="webrtc"]')
    expect(frame).to_be_visible()
    expect(frame.content_frame.locator("#stage")).to_be_attached()
    return frame.element_handle().content_frame()


def start(page: Page) -> Frame:
    """Press START and wait until video comes back."""
    frame = video_frame(page)
    frame.get_by_role("button", name="START").click()
    frame.wait_for_selector("video")
    frame.wait_for_function(f"{FRAMES} > 5")
    return frame


def goes_on(frame: Frame) -> None:
    """Wait for a second's worth of pictures."""
    frame.wait_for_function(f"{FRAMES} > {frame.evaluate(FRAMES) + 15}")


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


def test_live_video_leads_to_a_vibe_check_and_an_answer(app, page):
    look(page, "live-before")
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)

    # The video advances at the camera's rate, and the page beside it changes without being drawn anew.
    mark(page.locator(".vc-mood"))
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
    assert marked(page.locator(".vc-mood"))
    page.locator(".vc-details summary").click()
    expect(page.get_by_text(RATES)).to_be_visible()
    look(page, "live-playing")

    page.get_by_role("button", name="Check my vibe").click()
    player = spotify_player(page)
    expect(player).to_be_visible()
    mark(player)
    page.get_by_role("radio", name="Yes").click()
    expect(page.get_by_text("Noted:")).to_be_visible()
    look(page, "live-answered")
    # The music plays on, and so does the video.
    goes_on(frame)
    assert marked(player)
    # It plays on when the camera is stopped, too, and when another way in is chosen.
    stop(page)
    page.get_by_role("radio", name="Upload").click()
    expect(page.get_by_text("A picture or a short video with a face")).to_be_visible()
    assert marked(player)

    ((prediction, source, answered),) = rows_in(app.data, "SELECT id, source, mood FROM predictions")
    assert source == "live"
    assert rows_in(app.data, "SELECT prediction_id, label FROM feedback") == [(prediction, answered)]

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
    expect(page.get_by_text("A picture or a short video with a face")).to_be_visible()
    page.get_by_role("radio", name="Live").click()
    start(page)
    # Streamlit (1.67) returns to a page if a component reports between a click on a link and the next page.
    expect(mood(page)).to_have_text(MOODS)
    page.get_by_role("link", name="About").click()
    expect(page.get_by_role("heading", name="Expressions, not feelings")).to_be_visible()
    page.get_by_role("link", name="Home").click()
    start(page)
    page.goto("about:blank")
    page.goto(app.url)
    goes_on(start(page))


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


def test_video_is_read_again_when_the_page_has_connected_again(app, open_browser, webcam):
    page = open_browser(webcam).new_page()
    ends = []

    def keep(socket: WebSocketRoute) -> None:
        ends.extend((socket.connect_to_server(), socket))

    page.route_web_socket(re.compile("/_stcore/stream"), keep)
    page.goto(app.url)
    start(page)
    expect(mood(page)).to_have_text(MOODS)
    for end in ends[:]:  # as a proxy does when it is restarted
        end.close()
    while len(ends) < 4:
        page.wait_for_timeout(100)
    page.evaluate("window.marks = 0; addEventListener('vibecheck-mark', () => { marks += 1; })")
    page.wait_for_function("marks > 10")
    expect(page.locator(".vc-rates")).to_contain_text("WebRTC")
    page.get_by_role("button", name="Check my vibe").click()
    expect(page.locator(".vc-mood.result")).to_be_visible()


def test_video_goes_on_in_the_new_session_of_a_page_that_was_signed_out_in_another_tab(
    app, open_browser, webcam
):
    context = open_browser(webcam)
    page, other = context.new_page(), context.new_page()
    page.goto(app.link())
    start(page)
    expect(mood(page)).to_have_text(MOODS)
    other.goto(f"{app.url}/About")
    other.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("button", name="Sign out", exact=True)).to_have_count(0)
    page.locator(".vc-details summary").click()
    expect(page.locator(".vc-rates")).to_contain_text("WebSocket")
    page.get_by_role("button", name="Check my vibe").click()
    expect(page.locator(".vc-mood.result")).to_be_visible()


def test_page_keeps_the_mood_and_says_so_when_no_frames_arrive(webrtc_only, open_browser, webcam):
    page = opened(webrtc_only, open_browser(webcam), CONNECTIONS)
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)
    frame.evaluate(SEND_NOTHING)
    expect(page.locator(".vc-mood.late")).to_be_visible()
    expect(page.locator(".vc-hint")).to_contain_text("No pictures arrive at the moment")
    expect(mood(page)).to_have_text(MOODS)  # what was read last stays
    page.get_by_role("button", name="Check my vibe").click()
    expect(page.get_by_test_id("stAlert")).to_contain_text("No pictures arrive at the moment")
    look(page, "live-waiting")
    frame.evaluate("sender.replaceTrack(held)")
    expect(page.locator(".vc-mood.late")).to_have_count(0)
    page.get_by_role("button", name="Check my vibe").click()  # a press that failed does not spoil the next
    expect(page.locator(".vc-mood.result")).to_be_visible()


def test_video_that_webrtc_connects_but_does_not_carry_goes_on_over_the_pages_own_connection(
    app, open_browser, webcam
):
    page = opened(app, open_browser(webcam), CONNECTIONS)
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)
    # Neither a camera that stands still nor an interruption of the network changes the transport.
    frame.evaluate("window.video = document.querySelector('video')")
    frame.evaluate("video.getVideoPlaybackQuality = () => ({ totalVideoFrames: 0 })")
    frame.evaluate(SEND_NOTHING)
    page.wait_for_timeout(11_000)
    asked: list[Route] = []
    page.route(f"{app.url}/", lambda route: (asked.append(route), route.abort()))
    frame.evaluate("delete video.getVideoPlaybackQuality")
    while not asked:
        page.wait_for_timeout(500)
    expect(page.locator(".vc-mood.late")).to_be_visible()
    expect(page.locator(".vc-rates")).to_contain_text("WebRTC")
    page.unroute(f"{app.url}/")
    expect(page.locator(".vc-rates")).to_contain_text("WebSocket")
    expect(page.locator(".vc-mood.late")).to_have_count(0)
    page.get_by_role("button", name="Check my vibe").click()
    expect(page.locator(".vc-mood.result")).to_be_visible()


def test_webrtc_that_carries_video_again_while_the_app_answers_late_is_kept(app, open_browser, webcam):
    page = opened(app, open_browser(webcam), CONNECTIONS)
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)
    asked: list[Route] = []
    page.route(f"{app.url}/", lambda route: asked.append(route))
    frame.evaluate(SEND_NOTHING)
    while not asked:
        page.wait_for_timeout(500)
    frame.evaluate("sender.replaceTrack(held)")
    expect(page.locator(".vc-mood.late")).to_have_count(0)
    with page.expect_response(f"{app.url}/"):
        asked[0].continue_()
    page.wait_for_timeout(2000)
    expect(page.locator(".vc-rates")).to_contain_text("WebRTC")


def test_empty_room_shows_no_face(app, open_browser, tmp_path, empty_room):
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


# What a browser does when nothing has arrived from the app for a while.
BREAK_OFF = """() => {
  const connection = connections.at(-1);
  Object.defineProperty(connection, "connectionState", { value: "failed" });
  connection.dispatchEvent(new Event("connectionstatechange"));
}"""


def test_video_that_breaks_off_goes_on_over_the_pages_own_connection(app, open_browser, webcam):
    page = opened(app, open_browser(webcam), CONNECTIONS)
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)
    frame.evaluate(BREAK_OFF)
    expect(page.locator(".vc-rates")).to_contain_text("WebSocket")
    expect(mood(page)).to_have_text(MOODS)
    expect(trouble(page)).to_have_count(0)


def test_where_only_webrtc_is_allowed_video_that_breaks_off_is_said_and_starts_again(
    webrtc_only, open_browser, webcam
):
    page = opened(webrtc_only, open_browser(webcam), CONNECTIONS)
    frame = start(page)
    expect(mood(page)).to_have_text(MOODS)
    frame.evaluate(BREAK_OFF)
    expect(trouble(page)).to_contain_text("the connection between your browser and the app was lost")
    offers_pictures(page)
    page.get_by_role("radio", name="Live").click()
    start(page)
    expect(mood(page)).to_have_text(MOODS)
    stop(page)
    expect(trouble(page)).to_have_count(0)  # it was meant


# The place of the stage on the page, in every frame that is painted.
PLACES = """
window.places = [];
const look = () => {
  const box = document.querySelector(".st-key-stage-box");
  if (box?.checkVisibility({ visibilityProperty: true })) {
    const { left, top, width, height } = box.getBoundingClientRect();
    const place = [left, top, width, height].map(Math.round).join();
    if (places.at(-1) !== place) places.push(place);
  }
  requestAnimationFrame(look);
};
if (window === top) requestAnimationFrame(look);
"""


def test_the_camera_starts_by_itself_where_the_visitor_chose_so_and_nothing_jumps(app, open_browser, webcam):
    page = opened(app, open_browser(webcam), PLACES)
    video_frame(page).locator(".off").get_by_text("Start automatically next time").click()
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
    expect(page.get_by_role("button", name="Check my vibe")).to_be_enabled()
    expect(page.locator(".vc-mood.result")).to_have_count(0)
    page.keyboard.press("c")
    expect(page.locator(".vc-mood.result")).to_be_visible()
    page.reload()
    frame = video_frame(page)
    frame.wait_for_selector("video")
    frame.wait_for_function(f"{FRAMES} > 5")
    # The result that the reload brought back stays open until the visitor presses START.
    expect(page.get_by_role("button", name="Check again")).to_be_visible()
    settled(page)
    expect(page.locator(".vc-mood.result")).to_be_visible()
    stop(page)
    start(page)
    expect(mood(page)).to_have_text(MOODS)
    expect(page.locator(".vc-mood.result")).to_have_count(0)
    (place,) = page.evaluate("places")
    width, height = map(int, place.split(",")[2:])
    assert abs(width / height - 4 / 3) < 0.01


def test_live_video_costs_streamlits_connection_next_to_nothing(app, open_browser, webcam):
    page = open_browser(webcam).new_page()
    messages = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda _: messages.append(socket.url)))
    page.goto(app.url)
    start(page)
    expect(mood(page)).to_have_text(MOODS)
    for _ in range(30):  # until the runs of the start are over
        del messages[:]
        page.wait_for_timeout(2000)
        if len(messages) < 4:
            break
    del messages[:]
    page.wait_for_timeout(8000)
    assert sum("_stcore/stream" in each for each in messages) < 2 * 8


# Looks at the page as its visitor does. Before the vibe check's own listener a press is noted.
WATCH = """
window.samples = [];
window.presses = [];
window.sample = () => {
  const card = document.querySelector(".vc-mood");
  const frame = document.querySelector('iframe[title*="webrtc"]')?.contentDocument;
  const bar = (of) => of.querySelector("i").style.width;
  return {
    at: performance.now(),
    pressed: presses.length,
    result: card.classList.contains("result") ? card.querySelector("img").src : "",
    late: card.classList.contains("late"),
    headline: card.querySelector(".name").textContent,
    confidence: bar(card.querySelector(":scope > .vc-bar")),
    bars: [...card.querySelectorAll(".vc-row")].map((row) => ({
      title: row.firstChild.textContent,
      width: parseFloat(bar(row)),
      shown: row.querySelector("i").getBoundingClientRect().width,
      value: row.lastChild.textContent,
    })),
    tag: [...frame?.querySelectorAll(".tag") ?? []].map((tag) => tag.textContent).join(""),
  };
};
if (window === top) {
  window.watch = () => setInterval(() => samples.push(sample()), 40);
  window.addEventListener("click", ({ target }) => {
    if (target.closest?.(".st-key-check button")) presses.push(sample());
  }, true);
}
"""
SAMPLES, PRESSES = 500, 6


@pytest.mark.parametrize("recorded", [pytest.param(True, marks=pytest.mark.shared_data), False])
def test_what_is_shown_at_one_moment_never_contradicts_itself(start_app, open_browser, tmp_path, recorded):
    if recorded and not RECORDED.is_file():
        missing(f"{RECORDED} is not here: it is a recorded webcam")
    app = start_app(VIBECHECK_AUDIT_SHARE="0")
    page = opened(app, open_browser(as_webcam(tmp_path / "webcam.mjpeg", recorded)), WATCH)
    start(page)
    expect(mood(page)).to_have_text(MOODS)
    page.evaluate("watch()")
    results = []
    for _ in range(PRESSES):
        page.wait_for_timeout(SAMPLES * 40 / PRESSES)
        page.get_by_role("button", name="Check my vibe").click()
        expect(page.locator(".vc-mood.result")).to_be_visible()
        results.append(page.evaluate("sample()"))
        page.get_by_role("button", name="Check again").click()
        expect(page.locator(".vc-mood.result")).to_have_count(0)
    page.wait_for_function(f"samples.length >= {SAMPLES}")
    page.wait_for_timeout(1000)  # the live mood after the last result
    samples, presses = page.evaluate("[samples, presses]")
    ends = [first_result(samples, number) for number in range(1, PRESSES + 1)]
    for each in samples:
        each["frozen"] = each["pressed"] > 0 and each["at"] < ends[each["pressed"] - 1]
    assert [problem for each in samples for problem in contradictions(each)] == []
    assert len({tuple(widths(each)) for each in samples}) > 20, "there was something to see"
    assert not recorded or len({each["headline"] for each in samples}) > 3

    # What was shown at the press is what is shown until the result, as the result, and what is recorded.
    columns = ", ".join(("mood", *PROBABILITIES))
    rows = rows_in(app.data, f"SELECT {columns} FROM predictions ORDER BY made_at")
    assert len(presses) == len(rows) == PRESSES
    titles = {emotion.title: emotion.name for emotion in EMOTIONS}
    for number, press, result, (recorded_mood, *probabilities) in zip(
        range(1, PRESSES + 1), presses, results, rows, strict=True
    ):
        frozen = [each for each in samples if each["pressed"] == number and each["frozen"]]
        for each in [*frozen, result]:
            assert (each["headline"], widths(each)) == (press["headline"], widths(press))
        assert widths(press) == [float(f"{100 * share:.2f}") for share in probabilities]
        largest = max(press["bars"], key=lambda bar: bar["width"])
        assert titles[largest["title"]] == recorded_mood


def first_result(samples: list[dict], number: int) -> float:
    """When the result of a press was first seen."""
    return next(each["at"] for each in samples if each["pressed"] == number and each["result"])


def widths(sample: dict) -> list[float]:
    return [bar["width"] for bar in sample["bars"]]


def contradictions(sample: dict) -> list[str]:
    """What headline, bars and tag of one moment say against each other."""
    bars = {bar["title"]: bar for bar in sample["bars"]}
    moods = {emotion.title: emotion for emotion in EMOTIONS}
    first, second = sorted(bars, key=lambda title: -bars[title]["width"])[:2]
    headline, tag, found = sample["headline"], sample["tag"], []
    mood, other = moods[first], moods[second]
    unsure = f"Hard to tell: {mood.adjective} or {other.adjective}?"
    if headline == "Looking…":
        return []
    if headline == "No face":
        return [f"{tag} without a face"] if tag and not sample["result"] else []
    if headline not in (mood.headline, unsure):
        found.append(f"{headline} above {first} {bars[first]['value']}")
    if bars[first]["width"] != float(sample["confidence"].rstrip("%")):
        found.append(f"{sample['confidence']} sure of {first} {bars[first]['width']}")
    if sample["result"]:
        return found
    if bars[first]["shown"] < max(bar["shown"] for bar in bars.values()):
        found.append(f"the bar of {first} is still shorter than another")
    either = f"{mood.headline} or {other.adjective}?"
    tags = {mood.headline: f"{mood.headline} {bars[first]['value']}", unsure: either}
    if not sample["frozen"] and tag not in (tags.get(headline), "" if sample["late"] else None):
        found.append(f"{tag} beside {headline}")
    return [f"{problem}: {sample}" for problem in found]
