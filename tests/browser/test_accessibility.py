"""Headings, names of controls, contrast and target sizes, measured on the real pages at three sizes."""

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Frame, Locator, Page, expect

from benchmarks.harness.running import RunningApp
from tests.browser.conftest import check_my_vibe, jpeg, look, settled, upload
from tests.ui.shared.test_theme import AA, CARD, contrast
from vibecheck.demo.folder import build
from vibecheck.demo.world import Plan

pytestmark = pytest.mark.browser

MEASURE = Path(__file__).with_name("accessibility.js").read_text(encoding="utf-8")
OPTIONS = {
    "resultTypes": ["violations"],
    # Streamlit's upload field has a name and a role that hides it.
    "rules": {"presentation-role-conflict": {"enabled": False}},
}
# The colours (R, G, B) of text in charts, but not on coloured areas, of which axe-core sees nothing.
CHART_TEXT = """() => [...document.querySelectorAll("svg text")]
    .filter((node) => node.checkVisibility() && !node.closest(".mark-text.role-mark"))
    .map((node) => getComputedStyle(node).fill.match(/[\\d.]+/g)?.slice(0, 3).map(Number)).filter(Boolean)"""
PAGES = ("Dashboard", "Fine-tune", "Corrections", "About")


@pytest.fixture(scope="module")
def app(start_app, tmp_path_factory) -> RunningApp:
    folder = tmp_path_factory.mktemp("made-up") / "data"
    build(folder, Plan(datetime.now(UTC), checks=3000, days=60), None)
    return start_app(VIBECHECK_DATA=str(folder))


def problems(page: Page | Frame, phone: bool) -> list[str]:
    """What axe-core finds (WCAG 2.2 AA and good practice), and what it does not measure."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    sentences = [f"{each['help']}: {node['html'][:120]}" for each in found for node in each["nodes"]]
    return sentences + page.evaluate(MEASURE, phone)


def drawn(page: Page) -> None:
    expect(page.locator(".vc-intro")).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_timeout(1500)  # charts are drawn after the script has run


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_pages_have_no_accessibility_problems(app, open_browser, width, height):
    page = open_browser(viewport={"width": width, "height": height}, has_touch=width < 640).new_page()
    for name in PAGES:
        page.goto(app.link(name))
        drawn(page)
        assert problems(page, phone=width < 640) == [], name
        for colour in page.evaluate(CHART_TEXT):
            assert contrast("#{:02X}{:02X}{:02X}".format(*map(round, colour)), CARD) >= AA
        look(page, f"{name.lower()}-{width}")


def test_accessibility_check_detects_problems(open_browser):
    page = open_browser().new_page()
    page.set_content(
        "<body style='background:#000'><div data-testid=stMain><h1>A</h1><h3>B</h3><button></button>"
        "<p style='color:#333'>faint</p></div>"
    )
    found = " ".join(problems(page, phone=True))
    for each in ("Heading levels", "Buttons must have", "color contrast", "a target of"):
        assert each in found


def test_phone_shows_the_headline_first_and_the_keyboard_reaches_the_rest(app, open_browser):
    page = open_browser(viewport={"width": 390, "height": 844}, has_touch=True).new_page()
    page.goto(app.link("Dashboard"))
    drawn(page)
    box = page.locator(".st-key-card-answer-0").bounding_box()
    assert box["y"] + box["height"] < 844
    expect(page.get_by_role("radio", name="4 weeks")).to_have_count(0)
    # By keyboard alone.
    page.get_by_role("button", name="This week").focus()
    page.keyboard.press("Enter")
    page.get_by_role("radio", name="4 weeks").focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("Accuracy with users in 4 weeks")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="4 weeks")).to_be_visible()
    drawn(page)
    tile = page.locator('[class*="st-key-trace-"] button:visible').first
    tile.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_text("Models trained on it")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


# Whether the control that has the keyboard focus can be seen: within the window, and not covered.
IN_SIGHT = """() => {
  const node = document.activeElement;
  const control = node.closest("label") ?? node;
  if (node === document.body || node.tagName === "IFRAME") return "";
  const { left, top, width, height } = control.getBoundingClientRect();
  const [x, y] = [left + width / 2, top + height / 2];
  const inside = x > 0 && y > 0 && x < innerWidth && y < innerHeight;
  const covered = document.elementFromPoint(x, y)?.closest("[data-testid=stHeader]");
  return inside && (!covered || covered.contains(node)) ? "" : `${node.tagName} ${control.innerText}`;
}"""


@pytest.mark.parametrize(("width", "height"), [(320, 256), (390, 844)])
def test_the_keyboard_focus_is_always_in_sight(app, open_browser, width, height):
    page = open_browser(viewport={"width": width, "height": height}).new_page()
    for name in ("Corrections", "About"):
        page.goto(app.link(name))
        drawn(page)
        for key in ["Tab"] * 24 + ["Shift+Tab"] * 24:
            page.keyboard.press(key)
            page.evaluate("() => new Promise(requestAnimationFrame)")
            assert page.evaluate(IN_SIGHT) == "", f"{name}, {key}"


def picture_of(part: Locator) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(part.screenshot())).convert("RGB")).astype(int)


def colourful(part: Locator) -> bool:
    """Whether it shows a colour, neither black, grey nor white."""
    return bool(np.ptp(picture_of(part), axis=2).max() > 60)


def test_forced_colours_show_bars_and_what_is_selected(app, open_browser, astronaut):
    page = open_browser(forced_colors="active", color_scheme="dark").new_page()
    page.goto(app.link(""))
    ways = page.get_by_role("radiogroup", name="Source")
    upload(page, "smile.jpg", jpeg(astronaut))
    selected, other = (page.get_by_role("radio", name=name) for name in ("Upload", "Live"))
    expect(ways).to_be_visible()
    assert colourful(selected) and not colourful(other)
    check_my_vibe(page)
    expect(page.get_by_role("heading", name="Happy")).to_be_visible()
    settled(page)
    assert colourful(page.get_by_role("meter", name="Confidence"))
    page.get_by_role("button", name="Change").click()
    choices = page.get_by_test_id("stRadioOption")
    expect(choices).to_have_count(3)
    assert [colourful(choice) for choice in choices.all()] == [True, False, False]


def test_forced_colours_show_start_and_stop(app, open_browser):
    page = open_browser(forced_colors="active", color_scheme="dark").new_page()
    page.goto(app.link(""))
    stage = page.frame_locator("iframe[title*=webrtc]")
    start = stage.get_by_role("button", name="START")
    expect(start).to_be_visible()
    assert (picture_of(start)[:4].max(axis=(1, 2)) > 150).any(), "its edge"
    expect(page.locator("iframe[title*=webrtc]")).to_have_accessible_name("Camera")
    start.click()
    stop = stage.get_by_role("button", name="Stop the camera")
    expect(stop).to_be_visible()
    shown = picture_of(stop)
    height, width, _ = shown.shape
    assert picture_of(stop)[height // 2, width // 2].min() > 150, "its square"


def test_the_stage_keeps_the_keyboard_focus_when_its_camera_starts_and_stops(app, open_browser):
    page = open_browser().new_page()
    page.add_init_script("delete Element.prototype.checkVisibility")  # as before Safari 17.4
    page.goto(app.link(""))
    stage = page.frame_locator("iframe[title*=webrtc]")
    stage.get_by_role("button", name="START").press("Enter")
    expect(stage.get_by_role("button", name="Camera settings")).to_be_focused()
    stage.get_by_role("button", name="Stop the camera").press("Enter")
    expect(stage.get_by_role("button", name="START")).to_be_focused()
