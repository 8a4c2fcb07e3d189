"""Problems are reported in one sentence, and the rest keeps working."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import check_my_vibe, jpeg, look, spotify_player, upload

pytestmark = pytest.mark.browser


def test_invalid_setting_is_named_on_the_page(start_app, open_browser):
    app = start_app(VIBECHECK_THREADS="many")
    page = open_browser().new_page()
    page.goto(app.url)
    expect(page.get_by_test_id("stAlert")).to_contain_text("VIBECHECK_THREADS")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_mood_and_music_are_shown_without_a_place_for_records(start_app, open_browser, astronaut, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    app = start_app(VIBECHECK_DATA=str(in_the_way))
    page = open_browser().new_page()
    page.goto(app.url)
    upload(page, "astronaut.jpg", jpeg(astronaut))
    check_my_vibe(page)
    expect(page.locator(".vc-mood .name")).to_have_text("Happy")
    expect(spotify_player(page)).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_contain_text("VIBECHECK_DATA")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    look(page, "trouble-records")


def test_stopped_server_is_reported_in_the_apps_own_words(start_app, open_browser):
    app = start_app()
    page = open_browser().new_page()
    page.goto(app.url)
    expect(page.get_by_role("heading", name="What's your vibe?")).to_be_visible()
    expect(page.get_by_text("An AI reads a mood from your face.")).to_be_visible()
    expect(page.locator(".st-key-dialogs")).to_be_attached()
    expect(page.locator(".vc-mood")).to_be_visible()  # what runs its script is loaded
    page.wait_for_timeout(1000)  # its script starts
    app.kill()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("VibeCheck is not responding")
    expect(dialog).to_contain_text("This page reconnects automatically")
    expect(dialog).not_to_contain_text("Streamlit")
    look(page, "trouble-stopped")
