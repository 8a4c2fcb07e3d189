"""The live view's scripts in a real browser, on a page of their own without the app, with Chromium's camera.

`FAKE` stands for streamlit-webrtc: its buttons, and a connection to the page itself in place of the app.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import product

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from benchmarks.harness.running import CHROMIUM
from tests.browser import conftest
from tests.browser.conftest import FLAGS
from vibecheck.emotions import EMOTIONS, Distribution
from vibecheck.ui.home import mood_card, stage
from vibecheck.ui.shared.server import STYLE
from vibecheck.video import overlay_channel
from vibecheck.vision.faces import Face

pytestmark = pytest.mark.browser
HERE = "http://localhost/"  # a secure origin, as cameras need

PAGE = """<!doctype html><body>
<iframe title="webrtc" src="/frame" style="width:640px;height:480px"></iframe>
<script type="module">
import show from "/stage.js";
window.told = {way: [], socket: [], started: [], mark: [], stop: []};
for (const name of ["mark", "stop"])
  addEventListener(`vibecheck-${name}`, ({detail}) => told[name].push(detail));
const tell = (name, value) => told[name].push(value);
const route = ROUTE;
window.draw = (ticket, session = "first") => {
  const data = {route: {...route, ticket, session}};
  window.leave = show({data, setTriggerValue: tell, setStateValue: tell});
};
draw("ticket");
</script>"""

FAKE = """<!doctype html><body><div id="root"><button>START</button></div><script>
const button = document.querySelector("button");
const session = {};
const stop = () => {
  session.stream?.getTracks().forEach((track) => track.stop());
  session.here?.close();
  session.app?.close();
  button.textContent = "START";
};
const gathered = async (connection) => {
  while (connection.iceGatheringState !== "complete") await new Promise((resolve) => setTimeout(resolve, 20));
};
const start = async () => {
  const video = {width: 640, height: 480};
  try { session.stream = await navigator.mediaDevices.getUserMedia({video, audio: false}); } catch { return; }
  button.textContent = "STOP";
  const here = session.here = new RTCPeerConnection();
  const app = session.app = new parent.RTCPeerConnection();
  here.onconnectionstatechange = () => {
    if (["disconnected", "failed", "closed"].includes(here.connectionState)) stop();
  };
  const channel = {negotiated: true, id: 0, ordered: false, maxRetransmits: 0};
  session.marks = app.createDataChannel("marks", channel);
  for (const track of session.stream.getTracks()) here.addTrack(track, session.stream);
  await here.setLocalDescription(await here.createOffer());
  await gathered(here);
  if (window.unanswered) return;
  await app.setRemoteDescription(here.localDescription);
  await app.setLocalDescription(await app.createAnswer());
  await gathered(app);
  await here.setRemoteDescription(app.localDescription);
};
button.addEventListener("click", () => (button.textContent === "START" ? start() : stop()));
</script>"""

# What getUserMedia, permissions and devices say is up to the test.
BROWSER = """
window.asked = [];
const media = navigator.mediaDevices;
const [ask, list] = [media.getUserMedia.bind(media), media.enumerateDevices.bind(media)];
media.getUserMedia = async (constraints) => {
  asked.push(constraints);
  if (window.failure) throw new DOMException("", window.failure);
  return ask(constraints);
};
media.enumerateDevices = async () => (window.noCamera ? [] : list());
const query = navigator.permissions.query.bind(navigator.permissions);
navigator.permissions.query = async (what) => {
  const status = await query(what);
  if (window.permission) Object.defineProperty(status, "state", {value: window.permission});
  return status;
};
"""


# Cameras open when the test lets them: `held` has a function for each request.
SLOW_CAMERAS = """{
window.opened = [];
window.held = [];
window.hold = false;
const media = navigator.mediaDevices;
const ask = media.getUserMedia.bind(media);
media.getUserMedia = async (constraints) => {
  const stream = await ask(constraints);
  opened.push(stream);
  if (hold) await new Promise((resolve) => held.push(resolve));
  return stream;
};
window.open = () => setInterval(() => held.splice(0).forEach((resolve) => resolve()), 20);
window.on = () => opened.filter((stream) => stream.active).length;
}"""

# A phone, which opens one camera at a time.
PHONE = """{
window.opened = [];
const match = window.matchMedia.bind(window);
window.matchMedia = (query) => (query === "(pointer: coarse)" ? {matches: true} : match(query));
const media = navigator.mediaDevices;
const ask = media.getUserMedia.bind(media);
media.getUserMedia = async (constraints) => {
  const asksBroken = window.broken && constraints.video.deviceId?.exact === window.broken;
  if (asksBroken || opened.some((stream) => stream.active)) throw new DOMException("", "NotReadableError");
  const stream = await ask(constraints);
  opened.push(stream);
  return stream;
};
}"""

PATIENCE = 20_000  # ms; no app has to start


@pytest.fixture(scope="module")
def browser(playwright) -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*FLAGS, "--use-fake-device-for-media-stream=device-count=2"]
    ) as running:
        yield running
    expect.set_options(timeout=conftest.PATIENCE * 1000)


@pytest.fixture
def context(browser) -> Iterator[BrowserContext]:
    with browser.new_context(permissions=["camera"], viewport={"width": 700, "height": 520}) as made:
        made.set_default_timeout(PATIENCE)
        yield made


@pytest.fixture
def visit(context) -> Callable[..., Page]:
    """Opens the stage as a page does; `mode` is that of VIBECHECK_VIDEO, `script` runs before any other.

    A WebSocket to the app opens if there are `sockets`, to which it is added, and is refused otherwise.
    """

    def open_page(mode: str = "auto", script: str = "", sockets: list | None = None) -> Page:
        route = {
            "mode": mode,
            "path": "/video",
            "ticket": "ticket",
            "constraints": {"video": {}, "audio": False},
        }
        files = {
            "": ("text/html", PAGE.replace("ROUTE", json.dumps(route))),
            "frame": ("text/html", FAKE),
            "stage.js": ("text/javascript", stage.page_script()),
        }
        page = context.new_page()
        for name, file in files.items():
            page.route(HERE + name, answering(*file))
        if sockets is not None:
            page.route_web_socket(re.compile("/video$"), lambda socket: sockets.append(socket))
        page.add_init_script(BROWSER)
        page.add_init_script(script)
        page.goto(HERE)
        expect(stage_of(page).locator("#stage")).to_be_visible()
        return page

    return open_page


def answering(kind: str, text: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(content_type=kind, body=text)


def stage_of(page: Page):
    return page.frame_locator("iframe")


def frame(page: Page):
    return page.frames[1]


def start(page: Page) -> Locator:
    stage_of(page).get_by_role("button", name="START").click()
    stop = stage_of(page).get_by_role("button", name="Stop the camera")
    expect(stop).to_be_visible()
    return stop


def connected(page: Page) -> None:
    start(page)
    frame(page).wait_for_function("session.marks?.readyState === 'open'")


def menu_of_cameras(page: Page) -> tuple[Locator, str, str]:
    """The open menu, and the ids of the camera that is used and of the other one."""
    stage_of(page).get_by_role("button", name="Camera settings").click()
    cameras = stage_of(page).get_by_label("Camera", exact=True)
    expect(cameras).to_have_value(re.compile("."))  # it is filled
    used = cameras.input_value()
    ids = cameras.locator("option").evaluate_all("options => options.map((option) => option.value)")
    return cameras, used, next(each for each in ids if each != used)


def is_said(page: Page, kind: str) -> None:
    """The sentence of this kind, with an upload and, if the camera may work for it, a photo beside it."""
    expect(stage_of(page).get_by_role("alert")).to_have_text(stage.SENTENCES[kind])
    expect(stage_of(page).get_by_role("button", name="Upload a picture")).to_be_visible()
    photo = stage_of(page).get_by_role("button", name="Take a photo")
    expect(photo).to_have_count(0 if kind in stage.NO_CAMERA else 1)


def mark(number: int = 1, *, sad: float = 0.6, fear: float = 0.2, keep: float = 60.0) -> dict:
    """A mark of the app, of a face 10% from the left."""
    rest = (1 - sad - fear) / 5
    shown = Distribution.of([{"sad": sad, "fear": fear}.get(each.name, rest) for each in EMOTIONS])
    face = Face(64, 192, 128, 144, ((0, 0),) * 5, 1.0)
    rates = {"frames_in": 15, "readings": 15, "age": 0.05, "keep": keep, "frames": 12}
    return json.loads(overlay_channel.mark(number, shown.rounded(), [face], (480, 640), hint="", **rates))


# What the browser says, and which sentence it gets: another one each time. After the last, START is gone.
FAILURES = (
    ("NotAllowedError", "denied", "refused"),
    ("NotAllowedError", "prompt", "dismissed"),
    ("NotAllowedError", "granted", "system"),
    ("NotReadableError", "", "busy"),
    ("NotFoundError", "", "missing"),
    ("AbortError", "", "busy"),
    ("OverconstrainedError", "", "unsuitable"),
    ("AnythingElse", "", "busy"),
    ("SecurityError", "", "insecure"),
)


@pytest.mark.quick
def test_each_failure_of_the_camera_is_one_sentence_with_other_ways_beside_it(visit):
    page = visit()
    for failure, permission, kind in FAILURES:
        frame(page).evaluate(f"window.failure = {failure!r}; window.permission = {permission!r}")
        stage_of(page).get_by_role("button", name="START").click()
        is_said(page, kind)
        assert "Error" not in stage.SENTENCES[kind]
        stage_of(page).get_by_role("button", name="Upload a picture").click()
        page.wait_for_function("told.way.pop() === 'upload'")
        assert (stage_of(page).get_by_role("button", name="START").count() == 0) == (kind == "insecure")


@pytest.mark.quick
def test_every_sentence_is_seen_whole_on_a_phone(visit):
    page = visit(script="window.permission = 'denied'; localStorage.setItem('vibecheck-autostart', 'yes')")
    is_said(page, "refused")
    heights = (268, 306, 420, 464, 520)  # px, of a stage on phones of 390 px and more
    below = 57  # px, where the choice of live, photo or upload ends
    for height, sentence in product(heights, ["", *stage.SENTENCES.values()]):
        page.evaluate(
            "height => { document.querySelector('iframe').style = "
            "`width: ${height * 4 / 3}px; height: ${height}px; border: 0` }",
            height,
        )
        tops, bottoms = frame(page).evaluate(
            """sentence => {
              document.querySelector(".trouble").textContent = sentence;
              document.querySelector(".instead").hidden = !sentence;
              const all = [...document.querySelectorAll(".off > *")];
              const shown = all.map((each) => each.getBoundingClientRect());
              const seen = shown.filter((box) => box.height);
              return [seen.map((box) => box.top), seen.map((box) => box.bottom)];
            }""",
            sentence,
        )
        assert min(tops) >= below and max(bottoms) <= height, (height, sentence)


def test_what_stands_in_the_way_is_said_before_the_press(visit):
    is_said(visit(script="window.permission = 'denied'"), "refused")
    is_said(visit(script="window.permission = 'denied'; window.noCamera = true"), "missing")
    no_media = "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})"
    is_said(visit(script=no_media), "insecure")


@pytest.mark.quick
def test_where_webkit_names_a_missing_camera_unsuitable_it_is_missing(visit):
    page = visit(script="window.noCamera = true; window.failure = 'OverconstrainedError'")
    is_said(page, "missing")
    stage_of(page).get_by_role("button", name="START").click()
    frame(page).wait_for_function("asked.length === 1")
    is_said(page, "missing")


def test_after_a_failure_the_next_start_works(visit):
    page = visit()
    frame(page).evaluate("window.failure = 'NotReadableError'")
    stage_of(page).get_by_role("button", name="START").click()
    is_said(page, "busy")
    frame(page).evaluate("window.failure = ''")
    start(page).click()
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()
    expect(stage_of(page).get_by_role("alert")).to_have_count(0)


@pytest.mark.quick
def test_the_camera_that_was_chosen_is_used_at_once_and_at_the_next_visit(visit):
    page = visit()
    connected(page)
    used = "document.querySelector('video').srcObject.getVideoTracks()[0].getSettings().deviceId"
    cameras, before, other = menu_of_cameras(page)
    assert frame(page).evaluate(used) == before
    cameras.select_option(other)
    frame(page).wait_for_function(f"{used} === {other!r}")
    sent = "session.here.getSenders().find((each) => each.track).track.getSettings().deviceId"
    assert frame(page).evaluate(sent) == other, "what is shown is what is sent"
    track = frame(page).evaluate_handle("document.querySelector('video').srcObject.getVideoTracks()[0]")
    stage_of(page).get_by_role("button", name="Stop the camera").click()
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()
    assert track.evaluate("track => track.readyState") == "ended", "the camera is off"
    page.close()
    page = visit()
    start(page)
    assert frame(page).evaluate("asked[0].video.deviceId.exact") == other
    # One that is no longer plugged in is not waited for.
    page.close()
    page = visit(script="localStorage.setItem('vibecheck-camera', 'gone')")
    start(page)
    expect(stage_of(page).get_by_role("alert")).to_have_count(0)


# Firefox asks the visitor which camera to open: here always the first one, whichever the page asked for.
ALWAYS_THE_FIRST = """
const asks = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (asks) navigator.mediaDevices.getUserMedia = async ({video, ...rest}) => {
  const [first] = (await navigator.mediaDevices.enumerateDevices()).filter(({kind}) => kind === "videoinput");
  return asks({...rest, video: {...video, deviceId: {exact: first.deviceId}}});
};
"""


@pytest.mark.quick
@pytest.mark.parametrize("mode", ["webrtc", "websocket"])
def test_if_the_browser_opens_another_camera_than_was_chosen_that_one_is_named_and_remembered(visit, mode):
    page = visit(mode, ALWAYS_THE_FIRST, sockets=[])
    start(page)
    expect(stage_of(page).get_by_role("alert")).to_have_count(0)
    cameras, first, other = menu_of_cameras(page)
    used = "document.querySelector('video').srcObject.getVideoTracks()[0].getSettings().deviceId"
    remembered = "localStorage.getItem('vibecheck-camera')"
    cameras.select_option(other)
    is_said(page, "another")
    expect(cameras).to_have_value(first)
    assert frame(page).evaluate(f"[{used}, {remembered}]") == [first, first]
    page.close()
    page = visit(mode, ALWAYS_THE_FIRST, sockets=[])
    frame(page).evaluate("""async () => {
      const all = await navigator.mediaDevices.enumerateDevices();
      localStorage.setItem("vibecheck-camera", all.findLast(({kind}) => kind === "videoinput").deviceId);
    }""")
    start(page)
    is_said(page, "another")
    cameras, first, _ = menu_of_cameras(page)
    assert frame(page).evaluate(f"[{used}, {remembered}]") == [first, first]


@pytest.mark.quick
def test_a_camera_that_was_unplugged_while_the_menu_was_open_leaves_the_video_as_it_is(visit):
    page = visit("websocket", sockets=[])
    start(page)
    cameras, first, other = menu_of_cameras(page)
    frame(page).evaluate("window.failure = 'OverconstrainedError'")
    cameras.select_option(other)
    is_said(page, "unchanged")
    expect(cameras).to_have_value(first)
    assert frame(page).evaluate("asked.length") == 2, "it is not replaced by another one"
    assert frame(page).evaluate("localStorage.getItem('vibecheck-camera')") is None


@pytest.mark.quick
@pytest.mark.parametrize("mode", ["auto", "websocket", "webrtc"])
def test_where_the_browser_has_no_webrtc_video_goes_over_the_socket(visit, mode):
    sockets = []
    page = visit(mode, "window.RTCPeerConnection = undefined", sockets=sockets)
    if mode == "webrtc":
        stage_of(page).get_by_role("button", name="START").click()
        is_said(page, "blocked")
        assert frame(page).evaluate("asked") == [], "the camera is not turned on for nothing"
        return
    start(page)
    page.wait_for_function("told.socket.at(-1) > 0")
    assert len(sockets) == 1
    expect(stage_of(page).locator("#stage")).to_have_count(1)


@pytest.mark.quick
def test_where_the_browser_returns_noise_for_a_frame_the_page_says_so_and_sends_none(visit):
    noise = """const read = CanvasRenderingContext2D.prototype.getImageData;
    CanvasRenderingContext2D.prototype.getImageData = function (...box) {
      const image = read.apply(this, box);
      if (!window.allowed) crypto.getRandomValues(image.data);
      return image;
    };"""
    sockets = []
    page = visit("websocket", noise, sockets=sockets)
    stage_of(page).get_by_role("button", name="START").click()
    is_said(page, "unreadable")
    assert sockets == []
    frame(page).evaluate("window.allowed = true")
    start(page)
    page.wait_for_function("told.socket.at(-1) > 0")


@pytest.mark.quick
def test_the_browser_offers_no_player_controls_over_the_video(visit):
    page = visit()
    start(page)
    # Firefox's button for picture-in-picture lies over the menu and takes its clicks.
    assert stage_of(page).locator("video").evaluate("video => video.disablePictureInPicture")


@pytest.mark.quick
@pytest.mark.parametrize("mode", ["webrtc", "websocket"])
def test_start_pressed_twice_leaves_no_camera_on(visit, mode):
    page = visit(mode, SLOW_CAMERAS, sockets=[])
    frame(page).evaluate("hold = true; for (const press of [1, 2]) document.querySelector('.start').click()")
    frame(page).wait_for_function("held.length > 0")
    frame(page).evaluate("open()")
    stop = stage_of(page).get_by_role("button", name="Stop the camera")
    expect(stop).to_be_visible()
    frame(page).wait_for_function("on() === 1")
    if mode == "webrtc":
        assert frame(page).evaluate("asked.length") == 1, (
            "a second connection would be in the way of the first"
        )
    stop.click()
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()
    frame(page).wait_for_function("on() === 0")


@pytest.mark.quick
def test_the_camera_that_was_chosen_last_is_shown_and_sent_however_slowly_each_opens(visit):
    page = visit("webrtc", SLOW_CAMERAS)
    connected(page)
    cameras, first, other = menu_of_cameras(page)
    frame(page).evaluate("hold = true")
    for each in (other, first):
        cameras.select_option(each)
    frame(page).wait_for_function("held.length > 0")
    frame(page).evaluate("open()")
    used = "document.querySelector('video').srcObject.getVideoTracks()[0]"
    sent = "session.here.getSenders().find((each) => each.track).track"
    frame(page).wait_for_function(f"opened.length === 3 && {used} === opened[2].getVideoTracks()[0]")
    assert frame(page).evaluate(f"{sent} === {used}")
    assert frame(page).evaluate(f"{used}.getSettings().deviceId") == first
    assert frame(page).evaluate("on()") == 1


@pytest.mark.quick
@pytest.mark.parametrize("mode", ["webrtc", "websocket"])
def test_if_another_camera_does_not_start_the_page_says_so_and_the_video_continues(visit, mode):
    page = visit(mode, sockets=[])
    page.clock.install()
    start(page)
    cameras, first, other = menu_of_cameras(page)
    frame(page).evaluate("window.failure = 'NotReadableError'")
    cameras.focus()
    cameras.select_option(other)
    is_said(page, "unchanged")
    expect(cameras).to_be_hidden()  # on a phone the menu would cover the message
    expect(stage_of(page).get_by_role("button", name="Camera settings")).to_be_focused()
    expect(cameras).to_have_value(first)
    used = "document.querySelector('video').srcObject.getVideoTracks()[0]"
    assert frame(page).evaluate(f"{used}.readyState") == "live"
    page.clock.run_for(8000)
    expect(stage_of(page).get_by_role("alert")).to_have_count(0)
    menu_of_cameras(page)
    cameras.select_option(other)
    is_said(page, "unchanged")
    stage_of(page).get_by_role("button", name="Stop the camera").click()
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()
    expect(stage_of(page).get_by_role("alert")).to_have_count(0)


@pytest.mark.quick
@pytest.mark.parametrize("mode", ["webrtc", "websocket"])
def test_on_a_phone_the_camera_is_changed_although_only_one_opens_at_a_time(visit, mode):
    page = visit(mode, PHONE, sockets=[])
    start(page)
    used = "document.querySelector('video').srcObject?.getVideoTracks()[0]"
    for _ in range(2):
        cameras, first, other = menu_of_cameras(page)
        cameras.select_option(other)
        frame(page).wait_for_function(f"{used}?.getSettings().deviceId === '{other}'")
        assert frame(page).evaluate(f"{used}.readyState") == "live"
        expect(cameras).to_have_value(other)
        expect(stage_of(page).get_by_role("alert")).to_have_count(0)
        stage_of(page).get_by_role("button", name="Camera settings").click()  # closes the menu
    cameras, first, other = menu_of_cameras(page)
    frame(page).evaluate(f"window.broken = '{other}'")
    cameras.select_option(other)
    is_said(page, "unchanged")
    expect(cameras).to_have_value(first)
    assert frame(page).evaluate(f"[{used}.getSettings().deviceId, {used}.readyState]") == [first, "live"]
    assert frame(page).evaluate("opened.filter((stream) => stream.active).length") == 1


@pytest.mark.quick
def test_on_a_phone_on_which_no_camera_opens_any_more_the_page_says_why(visit):
    page = visit("websocket", PHONE, sockets=[])
    start(page)
    cameras, _, other = menu_of_cameras(page)
    frame(page).evaluate("window.failure = 'NotReadableError'")
    cameras.select_option(other)
    is_said(page, "busy")
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()


@pytest.mark.quick
def test_if_another_camera_fails_twice_the_second_message_stays_as_long_as_the_first(visit):
    page = visit("websocket", sockets=[])
    page.clock.install()
    start(page)
    frame(page).evaluate("window.failure = 'NotReadableError'")
    for requests in (2, 3):
        cameras, _, other = menu_of_cameras(page)
        cameras.select_option(other)
        frame(page).wait_for_function(f"asked.length === {requests}")
        is_said(page, "unchanged")
        page.clock.run_for(5000)
    is_said(page, "unchanged")
    page.clock.run_for(3000)
    expect(stage_of(page).get_by_role("alert")).to_have_count(0)


@pytest.mark.quick
@pytest.mark.parametrize("mode", ["webrtc", "websocket"])
def test_a_camera_that_opens_after_the_visitor_stopped_is_off(visit, mode):
    page = visit(mode, SLOW_CAMERAS, sockets=[])
    start(page)
    cameras, _, other = menu_of_cameras(page)
    frame(page).evaluate("hold = true")
    cameras.select_option(other)
    frame(page).wait_for_function("held.length > 0")
    stage_of(page).get_by_role("button", name="Stop the camera").click()
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()
    frame(page).evaluate("open()")
    frame(page).wait_for_function("held.length === 0 && on() === 0")
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()


def test_the_camera_starts_by_itself_only_where_the_visitor_chose_so_and_it_is_allowed(visit):
    page = visit()
    stage_of(page).get_by_label("Start automatically next time").first.check()
    page.close()
    page = visit()
    expect(stage_of(page).get_by_role("button", name="Stop the camera")).to_be_visible()
    why = stage_of(page).get_by_text("once the browser remembers")
    expect(why).to_have_count(1)
    expect(why).to_be_hidden()
    page.close()
    page = visit(script="window.permission = 'prompt'")
    why = stage_of(page).get_by_text("once the browser remembers")
    expect(why).to_be_visible()
    assert frame(page).evaluate("asked") == [], "no question of the browser appears without a press"
    stage_of(page).get_by_label("Start automatically next time").first.uncheck()
    expect(why).to_be_hidden()
    page.close()
    page = visit()
    page.wait_for_timeout(300)
    assert frame(page).evaluate("asked") == []


@pytest.mark.quick
@pytest.mark.parametrize("mode", ["webrtc", "websocket"])
def test_the_page_is_told_of_a_start_only_if_the_visitor_pressed_start(visit, mode):
    page = visit(mode, sockets=[])
    start(page)
    assert page.evaluate("told.started") == [True]
    page.close()
    page = visit(mode, "localStorage.setItem('vibecheck-autostart', 'yes')", sockets=[])
    stop = stage_of(page).get_by_role("button", name="Stop the camera")
    expect(stop).to_be_visible()
    assert page.evaluate("told.started") == []
    stop.click()
    start(page)
    assert page.evaluate("told.started") == [True]


# Where a box begins, as a share of the picture's width.
SHARE_LEFT = """box => {
  const [own, all] = [box, box.parentElement.parentElement].map((each) => each.getBoundingClientRect());
  return (own.left - all.left) / all.width;
}"""


@pytest.mark.quick
def test_the_own_picture_is_mirrored_with_its_boxes_and_the_text_is_not(visit):
    page = visit()
    connected(page)
    told = mark()
    frame(page).evaluate("mark => session.marks.send(JSON.stringify(mark))", told)
    box, tag = stage_of(page).locator(".face.read"), stage_of(page).locator(".tag")
    expect(tag).to_have_text("Sad 60%")
    assert box.evaluate(SHARE_LEFT) == pytest.approx(0.7, abs=0.01)  # 10% from the right, 20% wide
    assert (
        stage_of(page).locator("video").evaluate("e => getComputedStyle(e).transform").startswith("matrix(-1")
    )
    assert "matrix(-" not in box.evaluate("e => getComputedStyle(e).transform")
    assert tag.evaluate("e => getComputedStyle(e).transform") == "none"
    page.wait_for_function("told.mark.length === 1")
    assert page.evaluate("told.mark[0].faces") == [[0.1, 0.4, 0.2, 0.3]], "what is read is not mirrored"
    # A camera that faces away from the visitor shows no mirror image.
    page.close()
    away = """const settings = MediaStreamTrack.prototype.getSettings;
    MediaStreamTrack.prototype.getSettings = function () {
      return {...settings.call(this), facingMode: "environment"};
    };"""
    page = visit(script=away)
    connected(page)
    frame(page).evaluate("mark => session.marks.send(JSON.stringify(mark))", told)
    expect(stage_of(page).locator(".tag")).to_have_text("Sad 60%")
    assert stage_of(page).locator(".face.read").evaluate(SHARE_LEFT) == pytest.approx(0.1, abs=0.01)
    assert stage_of(page).locator("video").evaluate("e => getComputedStyle(e).transform") == "none"


def test_a_mark_that_arrives_after_a_newer_one_is_dropped(visit):
    page = visit()
    connected(page)
    for number, sad in ((2, 0.6), (1, 0.5), (3, 0.7)):
        frame(page).evaluate("mark => session.marks.send(JSON.stringify(mark))", mark(number, sad=sad))
    page.wait_for_function("told.mark.at(-1)?.number === 3")
    assert page.evaluate("told.mark.map((mark) => mark.number)") == [2, 3]


def test_the_camera_is_sent_as_many_frames_as_the_app_asks_for(visit):
    page = visit()
    connected(page)
    frame(page).evaluate("mark => session.marks.send(JSON.stringify(mark))", mark())
    asked = "session.here.getSenders().find((each) => each.track).getParameters().encodings[0].maxFramerate"
    frame(page).wait_for_function(f"{asked} === 12")


def test_a_box_is_gone_when_its_mark_holds_no_longer(visit):
    page = visit()
    connected(page)
    frame(page).evaluate("mark => session.marks.send(JSON.stringify(mark))", mark(keep=0.3))
    expect(stage_of(page).locator(".face.read")).to_have_count(1)
    expect(stage_of(page).locator(".face")).to_have_count(0)


@pytest.mark.parametrize("how", ["closed", "forgotten"])
@pytest.mark.parametrize("mode", ["webrtc", "auto"])
def test_video_that_the_app_ends_is_said_or_goes_on_over_the_socket(visit, mode, how):
    page = visit(mode, sockets=[])
    connected(page)
    if how == "closed":
        frame(page).evaluate("session.app.close()")
    else:  # by the new session that the page has, while the connection to the old one stays
        page.evaluate("draw('ticket'), draw('another', 'second')")
    if mode == "webrtc":
        is_said(page, "closed")
        start(page)  # works again
        return
    page.wait_for_function("told.socket.at(-1) > 0")
    expect(stage_of(page).get_by_role("button", name="Stop the camera")).to_be_visible()
    expect(stage_of(page).get_by_role("alert")).to_have_count(0)
    assert frame(page).evaluate("localStorage.getItem('vibecheck-transport')") is None, "WebRTC did connect"


@pytest.mark.parametrize("mode", ["webrtc", "auto"])
def test_a_connection_that_the_app_ends_after_the_visitor_stopped_is_no_fault(visit, mode):
    page = visit(mode, KEEP_CHANNELS, sockets=[])
    connected(page)
    # The app hears of the stop, and ends the connection, before streamlit-webrtc does.
    frame(page).evaluate("""() => {
      session.here = null;
      document.querySelector(".stop").click();
      channels[0].dispatchEvent(new Event("close"));
    }""")
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()
    expect(stage_of(page).get_by_role("alert")).to_have_count(0)
    assert page.evaluate("told.socket") == [], "the video does not go on over a WebSocket"


FAIL = """connection => {
  Object.defineProperty(connection, "connectionState", {value: "failed"});
  connection.dispatchEvent(new Event("connectionstatechange"));
}"""


@pytest.mark.quick
def test_a_connection_that_breaks_off_is_said(visit):
    page = visit("webrtc")
    connected(page)
    frame(page).evaluate(f"({FAIL})(session.here)")
    is_said(page, "lost")
    start(page)


@pytest.mark.quick
def test_a_camera_that_stops_is_said(visit):
    page = visit()
    connected(page)
    frame(page).evaluate("""() => {
      const [track] = document.querySelector("video").srcObject.getVideoTracks();
      track.stop();
      track.dispatchEvent(new Event("ended"));
    }""")
    is_said(page, "ended")
    expect(stage_of(page).locator("#root button")).to_have_text("START")
    start(page)


KEEP_PERMISSION = """
const queried = navigator.permissions.query;
navigator.permissions.query = async (what) => (window.permitted = await queried(what));"""


@pytest.mark.quick
def test_a_camera_that_the_visitor_blocks_during_the_video_was_not_unplugged(visit):
    page = visit("webrtc", KEEP_PERMISSION)
    connected(page)
    frame(page).evaluate("""() => {
      Object.defineProperty(permitted, "state", {value: "denied"});
      permitted.dispatchEvent(new Event("change"));
    }""")
    is_said(page, "refused")
    frame(page).evaluate("""() => {
      const [track] = document.querySelector("video").srcObject.getVideoTracks();
      track.stop();
      track.dispatchEvent(new Event("ended"));
    }""")
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()
    is_said(page, "refused")


@pytest.mark.quick
def test_after_the_only_camera_was_unplugged_the_next_start_works(visit):
    page = visit("webrtc")
    connected(page)
    frame(page).evaluate("""() => {
      window.noCamera = true;
      const [track] = document.querySelector("video").srcObject.getVideoTracks();
      track.stop();
      track.dispatchEvent(new Event("ended"));
      navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    }""")
    is_said(page, "missing")
    expect(stage_of(page).locator("#root button")).to_have_text("START")
    frame(page).evaluate(
        "window.noCamera = false; navigator.mediaDevices.dispatchEvent(new Event('devicechange'))"
    )
    start(page)


KEEP_CHANNELS = """
window.channels = [];
const create = RTCPeerConnection.prototype.createDataChannel;
RTCPeerConnection.prototype.createDataChannel = function (...options) {
  const channel = create.apply(this, options);
  channels.push(channel);
  return channel;
};"""


@pytest.mark.quick
def test_a_mark_that_arrives_after_the_stop_is_not_shown(visit):
    page = visit("webrtc", KEEP_CHANNELS)
    connected(page)
    # streamlit-webrtc is busy, so the connection stays for a while.
    frame(page).evaluate("button.disabled = true; document.querySelector('.stop').click()")
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()
    frame(page).evaluate(
        "mark => channels[0].dispatchEvent(new MessageEvent('message', {data: JSON.stringify(mark)}))", mark()
    )
    assert page.evaluate("[told.mark.length, told.stop.length]") == [0, 1]
    expect(stage_of(page).locator(".face")).to_have_count(0)
    frame(page).evaluate("button.disabled = false")
    expect(stage_of(page).locator("#root button")).to_have_text("START")


@pytest.mark.quick
def test_start_right_after_a_stop_works_though_streamlit_webrtc_could_not_be_stopped_yet(visit):
    page = visit("webrtc")
    connected(page)
    frame(page).evaluate("window.before = session.here; button.disabled = true")  # as without a connection
    stage_of(page).get_by_role("button", name="Stop the camera").click()
    stage_of(page).get_by_role("button", name="START").click()
    frame(page).evaluate("button.disabled = false")
    expect(stage_of(page).get_by_role("button", name="Stop the camera")).to_be_visible()
    frame(page).wait_for_function("session.here !== before && session.marks.readyState === 'open'")


@pytest.mark.quick
def test_for_the_page_video_goes_on_while_its_transport_changes_or_is_opened_again(visit):
    sockets = []
    page = visit("auto", sockets=sockets)
    connected(page)
    frame(page).evaluate(
        "button.addEventListener('click', () => { parent.beforeStop = [...parent.told.socket]; }, true)"
    )
    frame(page).evaluate(f"({FAIL})(session.here)")
    page.wait_for_function("window.beforeStop")
    assert page.evaluate("beforeStop.at(-1)") > 0, (
        "the page knows before streamlit-webrtc tells it of the stop"
    )
    page.wait_for_function("told.socket.length > 1")
    page.evaluate("draw('second')")
    sockets[0].close()
    page.wait_for_function("told.socket.length > 3")
    assert len(sockets) == 2
    assert page.evaluate("told.socket.every((state) => state > 0)")
    # The page hears of the end, too, if it was busy when it came.
    page.evaluate("leave()")
    stage_of(page).get_by_role("button", name="Stop the camera").click()
    expect(stage_of(page).get_by_role("button", name="START")).to_be_visible()
    page.evaluate("draw('third')")
    page.wait_for_function("told.socket.at(-1) === 0")


@pytest.mark.parametrize(("mode", "kind"), [("webrtc", "blocked"), ("auto", "unconnected")])
def test_video_that_does_not_connect_is_said(visit, mode, kind):
    page = visit(mode)
    page.clock.install()
    frame(page).evaluate("window.unanswered = true")
    start(page)
    for _ in range(30):
        page.clock.run_for(1000)
        if stage_of(page).get_by_role("alert").inner_text():
            break
    is_said(page, kind)
    playing = stage_of(page).get_by_role("button", name="Stop the camera")
    expect(playing).to_have_count(1 if mode == "webrtc" else 0)  # WebRTC may still connect


# --- the mood card -------------------------------------------------------------------------------

CARD = """<!doctype html><style>STYLE</style><body><main></main><script type="module">
import show from "/card.js";
window.values = [];
window.draw = (data) => show({data, parentElement: document.querySelector("main"),
                              setTriggerValue: (...value) => values.push(value)});
window.see = (mark) =>
  dispatchEvent(new CustomEvent("vibecheck-mark", {detail: {...mark, transport: "WebRTC"}}));
</script>"""
LIVE = {
    "moods": mood_card.MOODS,
    "texts": mood_card.TEXTS | {"how": mood_card.READY},
    "playing": True,
    "answers": False,
    "result": None,
}


@pytest.fixture
def card(context) -> Page:
    page = context.new_page()
    script = mood_card.SCRIPT.read_text(encoding="utf-8")
    files = {
        "": ("text/html", CARD.replace("STYLE", STYLE.read_text(encoding="utf-8"))),
        "card.js": ("text/javascript", script),
    }
    for name, file in files.items():
        page.route(HERE + name, answering(*file))
    page.clock.install(time=datetime(2026, 1, 1))
    page.goto(HERE)
    page.wait_for_function("() => Boolean(window.draw)")
    page.clock.pause_at(datetime(2026, 1, 2))  # or a slow machine's own seconds would count, too
    page.evaluate("data => draw(data)", LIVE)
    return page


@pytest.mark.quick
def test_a_change_of_mood_is_announced_politely_at_most_once_in_three_seconds(card):
    says = card.locator(".vc-says")
    expect(says).to_have_attribute("role", "status")  # which is polite
    card.clock.run_for(5000)
    heard = []
    for tenth in range(100):  # ten seconds of a face that changes all the time
        card.evaluate("mark => see(mark)", mark(tenth) if tenth % 4 < 2 else mark(tenth, sad=0.1, fear=0.7))
        card.clock.run_for(100)
        if not heard or says.inner_text() != heard[-1]:
            heard.append(says.inner_text())
    assert 2 <= len(heard) <= 4, heard
    assert set(heard) <= {"Sad", "Afraid"}
    card.evaluate("mark => see(mark)", mark(101, sad=0.42, fear=0.38))
    card.clock.run_for(4000)
    expect(says).to_have_text("Hard to tell: sad or afraid?")


@pytest.mark.quick
def test_what_is_hard_to_tell_has_both_colours_and_so_has_its_result(card):
    card.evaluate("mark => see(mark)", mark(sad=0.42, fear=0.38))
    colours = "name => [...name.children].map((part) => [part.textContent, part.style.color])"
    told = [
        ["Hard to tell: ", ""],
        ["sad", "rgb(110, 168, 255)"],
        [" or ", ""],
        ["afraid", "rgb(183, 155, 255)"],
        ["?", ""],
    ]
    assert card.locator(".name").evaluate(colours) == told
    shares = mark(sad=0.42, fear=0.38)["probabilities"]
    result = {"key": "1", "label": "You look", "mood": "sad", "face": "", "probabilities": shares,
              "runner_up": "fear", "clear": False, "hint": ""}  # fmt: skip
    card.evaluate("data => draw(data)", LIVE | {"result": result})
    assert card.locator(".name").evaluate(colours) == told
    expect(card.locator(".vc-you")).to_have_text("")
    card.evaluate(
        "data => draw(data)", LIVE | {"result": result | {"clear": True, "label": "You say", "mood": "fear"}}
    )
    expect(card.locator(".name")).to_have_text("Afraid")
    expect(card.locator(".vc-you")).to_have_text("You say")
    expect(card.locator(".vc-words")).to_have_text("Read as sad, 42% sure · next: afraid 38%")


def test_a_late_reading_freezes_the_card_and_the_next_one_goes_on(card):
    card.evaluate("mark => see(mark)", mark(keep=1.0))
    card.clock.run_for(1100)
    expect(card.locator(".vc-mood.late")).to_have_count(1)
    expect(card.locator(".name")).to_have_text("Sad")
    expect(card.locator(".vc-hint")).to_have_text(mood_card.TEXTS["nothing"])
    card.evaluate("mark => see(mark)", mark(2))
    expect(card.locator(".vc-mood.late")).to_have_count(0)


@pytest.mark.quick
def test_from_the_press_to_the_result_the_card_stays_as_it_was(card):
    card.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", CHECK)
    card.evaluate("mark => see(mark)", mark(7, keep=0.5))
    card.get_by_role("button", name="Check").click()
    card.evaluate("mark => see(mark)", mark(8, sad=0.1, fear=0.7))
    card.clock.run_for(2000)
    expect(card.locator(".name")).to_have_text("Sad")
    expect(card.locator(".vc-mood.late")).to_have_count(0)
    assert card.evaluate("values") == [["checked", 7]]
    card.evaluate("data => draw(data)", LIVE)  # no vibe check came of it
    card.evaluate("mark => see(mark)", mark(9, sad=0.1, fear=0.7))
    expect(card.locator(".name")).to_have_text("Afraid")


RESULT = {
    "key": "1",
    "label": "You look",
    "mood": "sad",
    "face": "",
    "runner_up": "fear",
    "clear": True,
    "probabilities": mark()["probabilities"],
    "hint": "",
}
CHECK = "<p class=st-key-check><button>Check</button></p>"


@pytest.mark.quick
def test_a_press_that_was_lost_with_the_connection_does_not_freeze_the_card_for_good(card):
    card.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", CHECK)
    card.evaluate("mark => see(mark)", mark(7))
    card.get_by_role("button", name="Check").click()
    card.clock.run_for(31_000)
    card.evaluate("mark => see(mark)", mark(8, sad=0.1, fear=0.7))
    expect(card.locator(".name")).to_have_text("Afraid")
    card.get_by_role("button", name="Check").click()
    assert card.evaluate("values") == [["checked", 7], ["checked", 8]]


@pytest.mark.quick
def test_a_check_before_the_first_mark_after_a_result_is_not_of_the_mark_before_it(card):
    card.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", CHECK)
    card.evaluate("mark => see(mark)", mark(7))
    card.evaluate("data => draw(data)", LIVE | {"result": RESULT})
    card.evaluate("data => draw(data)", LIVE)
    expect(card.locator(".name")).to_have_text(mood_card.TEXTS["looking"])
    card.get_by_role("button", name="Check").click()
    assert card.evaluate("values") == [["checked", -1]]


@pytest.mark.quick
def test_where_no_mark_follows_a_result_the_card_does_not_look_for_a_face_for_good(card):
    card.evaluate("data => draw(data)", LIVE | {"result": RESULT})
    card.evaluate("data => draw(data)", LIVE)
    card.clock.run_for(11_000)
    expect(card.locator(".vc-hint")).to_have_text(mood_card.TEXTS["nothing"])
    card.evaluate("mark => see(mark)", mark())
    expect(card.locator(".vc-mood.late")).to_have_count(0)


@pytest.mark.quick
def test_after_a_stop_the_card_does_not_promise_that_video_continues(card):
    card.evaluate("mark => see(mark)", mark(keep=1.0))
    card.evaluate("dispatchEvent(new CustomEvent('vibecheck-stop'))")  # the app hears of it later
    card.clock.run_for(10_000)
    expect(card.locator(".vc-mood.late")).to_have_count(0)
    expect(card.locator(".vc-hint")).not_to_have_text(mood_card.TEXTS["nothing"])


@pytest.mark.quick
def test_an_answer_by_key_names_the_result_that_it_is_for(card):
    card.evaluate("data => draw(data)", LIVE | {"result": RESULT, "answers": True})
    card.keyboard.press("2")
    assert card.evaluate("values") == [["said", ["1", EMOTIONS[1].name]]]


@pytest.mark.quick
def test_the_focus_follows_a_button_that_a_slow_page_replaces_late(card):
    again = "<p class=st-key-again><button>Check again</button></p>"
    card.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", again)
    card.get_by_role("button", name="Check again").focus()
    card.keyboard.press("Enter")
    card.clock.run_for(10_000)
    card.evaluate("html => { document.querySelector('.st-key-again').outerHTML = html; }", CHECK)
    card.clock.run_for(500)
    expect(card.get_by_role("button", name="Check")).to_be_focused()


@pytest.mark.quick
def test_while_a_popover_is_open_its_escape_leaves_the_result_alone(card):
    again = "<p class=st-key-again><button onclick='values.push(`again`)'>Check again</button></p>"
    card.evaluate(
        "html => document.body.insertAdjacentHTML('beforeend', html)", f"{again}<p role=dialog></p>"
    )
    card.keyboard.press("Escape")
    assert card.evaluate("values") == []
    card.evaluate("document.querySelector('[role=dialog]').remove()")
    card.keyboard.press("Escape")
    assert card.evaluate("values") == ["again"]


def test_nothing_moves_where_reduced_motion_is_preferred(context, visit, card):
    moving = "e => [getComputedStyle(e).transitionDuration, getComputedStyle(e).animationName]"
    card.clock.resume()  # it is the stage's, too
    page = visit()
    connected(page)
    frame(page).evaluate("mark => session.marks.send(JSON.stringify(mark))", mark())
    box = stage_of(page).locator(".face")
    card.evaluate("data => draw(data)", LIVE | {"result": RESULT})
    bar, emoji = card.locator(".vc-mood > .vc-bar i"), card.locator(".vc-emoji")
    assert [box.evaluate(moving)[0][:2], bar.evaluate(moving)[0][:2], emoji.evaluate(moving)[1]] == [
        "0.", "0.", "vc-arrive",
    ]  # fmt: skip
    for each in (page, card):
        each.emulate_media(reduced_motion="reduce")
    assert box.evaluate(moving)[0] == "0s"
    assert bar.evaluate(moving) == ["0s", "none"]
    assert emoji.evaluate(moving)[1] == "none"
