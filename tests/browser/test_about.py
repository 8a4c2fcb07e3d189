"""About says what is kept and which model runs in two screens, and is one press from Home."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import look

pytestmark = pytest.mark.browser


def test_about_is_one_click_away_and_names_the_settings_and_the_model(start_app, open_browser):
    app = start_app(VIBECHECK_RETENTION_DAYS="7")
    page = open_browser(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(app.url)
    page.get_by_role("link", name="About").click()
    expect(page.get_by_role("heading", name="Expressions, not feelings")).to_be_visible()
    expect(page.get_by_text("After 7 days")).to_be_visible()
    expect(page.get_by_test_id("stMetric")).to_have_count(4)
    expect(
        page.get_by_text("Acted and subtle expressions, which it mostly calls neutral").first
    ).to_be_visible()
    look(page, "about")
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollHeight") <= 2 * 900
    # The model's name and its card are in Details.
    expect(page.get_by_role("cell", name="recall: angry")).to_have_count(0)
    page.locator(".st-key-card-model").get_by_text("Details").click()
    expect(page.get_by_role("cell", name="recall: angry")).to_be_visible()
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="What's your vibe?")).to_be_visible()
