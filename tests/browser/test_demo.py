"""On a synthetic history the app says so on each page, and records nothing."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import check_my_vibe, jpeg, look, spotify_player, upload
from tests.records.rows import rows_in
from vibecheck.demo.folder import build
from vibecheck.demo.world import Plan

pytestmark = pytest.mark.browser

# How often the page was drawn without the banner.
COUNT_ABSENCES = """
window.absences = 0;
new MutationObserver(() => { absences += !document.querySelector(".st-key-synthetic"); })
    .observe(document.body, { subtree: true, childList: true });
"""


def test_synthetic_history_is_mentioned_and_nothing_is_recorded(start_app, open_browser, astronaut, tmp_path):
    build(tmp_path / "made-up", Plan(datetime.now(UTC), checks=200, days=150), None)
    # The oldest of it is older than what is kept of people.
    app = start_app(VIBECHECK_DATA=str(tmp_path / "made-up"), VIBECHECK_RETENTION_DAYS="7")
    page = open_browser().new_page()
    page.goto(app.url)
    expect(page.get_by_text("Synthetic history:")).to_be_visible()
    page.evaluate(COUNT_ABSENCES)
    upload(page, "astronaut.jpg", jpeg(astronaut))
    check_my_vibe(page)
    expect(page.locator(".vc-mood .name")).to_have_text("Happy")
    expect(spotify_player(page)).to_be_visible()
    expect(page.get_by_text("Not recorded:")).to_be_visible()
    assert page.evaluate("absences") == 0, "the page jumps at each press, from under the pointer"
    look(page, "demo-home")
    page.get_by_role("link", name="About").click()
    expect(page.get_by_role("heading", name="Expressions, not feelings")).to_be_visible()
    expect(page.get_by_text("Synthetic history:")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    look(page, "demo-about-phone")
    assert rows_in(tmp_path / "made-up", "SELECT count(*) FROM predictions") == [(200,)]


def test_all_label_buttons_are_in_the_first_viewport_on_a_phone(start_app, open_browser, tmp_path):
    build(tmp_path / "made-up", Plan(datetime.now(UTC), checks=200, days=150), None)
    app = start_app(VIBECHECK_DATA=str(tmp_path / "made-up"))
    page = open_browser(viewport={"width": 390, "height": 844}, has_touch=True).new_page()
    page.goto(app.link("Corrections"))
    expect(page.get_by_text("Synthetic history:")).to_be_visible()
    buttons = page.locator(".st-key-label-moods button, .st-key-label-others button")
    expect(buttons).to_have_count(10)
    boxes = [button.bounding_box() for button in buttons.all()]
    assert all(box["y"] + box["height"] <= 844 and box["height"] >= 44 for box in boxes)
    look(page, "demo-corrections-phone")


def test_pages_with_real_records_mention_no_synthetic_history(start_app, open_browser):
    page = open_browser().new_page()
    page.goto(start_app().url)
    expect(page.get_by_role("heading", name="What's your vibe?")).to_be_visible()
    expect(page.get_by_text("Synthetic history")).to_have_count(0)
