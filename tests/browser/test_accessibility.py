"""Headings, names of controls, contrast and target sizes, measured on the real pages at three sizes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.harness.running import RunningApp
from tests.browser.conftest import look
from vibecheck.demo.folder import build
from vibecheck.demo.world import Plan

pytestmark = pytest.mark.browser

CHECK = Path(__file__).with_name("accessibility.js").read_text(encoding="utf-8")
PAGES = ("Dashboard", "Fine-tune", "Corrections", "About")


@pytest.fixture(scope="module")
def app(start_app, tmp_path_factory) -> RunningApp:
    folder = tmp_path_factory.mktemp("made-up") / "data"
    build(folder, Plan(datetime.now(UTC), checks=3000, days=60), None)
    return start_app(VIBECHECK_DATA=str(folder))


def problems(page: Page, phone: bool) -> list[str]:
    return page.evaluate(CHECK, phone)


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
        look(page, f"{name.lower()}-{width}")


def test_accessibility_check_detects_problems(open_browser):
    page = open_browser().new_page()
    page.set_content(
        "<body style='background:#000'><div data-testid=stMain><h1>A</h1><h3>B</h3><button></button>"
        "<p style='color:#333'>faint</p></div>"
    )
    found = " ".join(problems(page, phone=True))
    for each in ("an H3 follows an H1", "no name", "contrast 1.", "a target of"):
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
