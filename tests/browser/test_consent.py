"""The visitor chooses what is kept: before a vibe check, after a correction, and at any time."""

import sqlite3

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import (
    check_my_vibe,
    jpeg,
    keep,
    look,
    mark,
    marked,
    settled,
    spotify_player,
    upload,
)
from tests.records.rows import rows_in
from tests.waiting import wait_for

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(start_app):
    return start_app(VIBECHECK_AUDIT_SHARE="0")


@pytest.fixture
def page(app, open_browser):
    page = open_browser().new_page()
    page.goto(app.url)
    expect(page.get_by_text("An AI reads a mood from your face. Only numbers are kept")).to_be_visible()
    return page


def count(app) -> int:
    try:
        return rows_in(app.data, "SELECT count(*) FROM predictions")[0][0]
    except sqlite3.OperationalError:  # the records are not made yet, or are being made
        return 0


def test_keep_nothing_shows_mood_and_music_and_records_nothing(app, page, astronaut):
    before = count(app)
    keep(page, "Keep nothing at all")
    expect(page.get_by_text("Nothing is kept.")).to_be_visible()
    upload(page, "astronaut.jpg", jpeg(astronaut))
    check_my_vibe(page)
    expect(page.locator(".vc-mood .name")).to_have_text("Happy")
    expect(spotify_player(page)).to_be_visible()
    expect(page.get_by_text("Nothing from this vibe check was kept")).to_be_visible()
    expect(page.get_by_text("Not right?")).to_have_count(0)
    page.get_by_role("button", name="Another one").click()
    settled(page)
    assert count(app) == before
    look(page, "consent-nothing")
    # The choice holds after the page is loaded again.
    page.get_by_role("link", name="Corrections").click()
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_text("Nothing is kept.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Nothing is kept.")).to_be_visible()
    expect(spotify_player(page)).to_have_count(0)


def test_a_correction_asks_once_for_the_face_crop(app, page, astronaut):
    upload(page, "astronaut.jpg", jpeg(astronaut))
    check_my_vibe(page)
    expect(spotify_player(page)).to_be_visible()
    expect(page.get_by_text("Was this right?")).to_have_count(0)
    page.get_by_text("Not right?").click()
    expect(page.get_by_role("button", name="Keep it")).to_have_count(0)
    page.get_by_role("radio", name="Surprise").click()
    expect(page.get_by_text("Keep this face crop so that the model learns from it?")).to_be_visible()
    look(page, "consent-asked")
    assert not list(app.data.rglob("input_*"))
    mark(spotify_player(page))
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_text("Your face crop is kept")).to_be_visible()
    assert marked(spotify_player(page))  # it changed with the answer, and not since
    ((prediction, kept, label, source),) = rows_in(
        app.data,
        "SELECT id, picture_kept, f.label, f.source FROM predictions JOIN feedback f ON prediction_id = id",
    )
    assert (kept, label, source) == (1, "surprise", "volunteered")
    assert [path.name for path in app.data.rglob("input_*")] == [f"input_{prediction}.jpg"]
    assert rows_in(app.data, "SELECT kind FROM outbox") == [], "without an account nothing waits to be sent"


def test_declining_keeps_the_label_without_a_picture_and_is_not_asked_again(app, page, astronaut):
    pictures = len(list(app.data.rglob("input_*")))
    upload(page, "astronaut.jpg", jpeg(astronaut))
    check_my_vibe(page)
    page.get_by_text("Not right?").click()
    page.get_by_role("radio", name="Sad").click()
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.get_by_role("button", name="Keep it")).to_have_count(0)
    page.get_by_role("radio", name="Fear").click()
    expect(page.get_by_text("Noted: afraid")).to_be_visible()
    expect(page.get_by_role("button", name="Keep it")).to_have_count(0)
    assert len(list(app.data.rglob("input_*"))) == pictures
    query = "SELECT picture_kept, label FROM predictions ORDER BY made_at DESC LIMIT 1"
    assert rows_in(app.data, query) == [(0, "fear")]


def test_delete_my_data_deletes_only_this_visitors_data(app, open_browser, astronaut):
    browsers = [open_browser(), open_browser()]
    for context in browsers:
        page = context.new_page()
        page.goto(app.url)
        keep(page, "Keep my face crop")
        upload(page, "astronaut.jpg", jpeg(astronaut))
        check_my_vibe(page)
        expect(spotify_player(page)).to_be_visible()
    (mine,), (others,) = rows_in(app.data, "SELECT id FROM predictions ORDER BY made_at DESC LIMIT 2")
    cookies = {each["name"]: each["value"] for each in browsers[1].cookies()}
    page.get_by_role("link", name="Corrections").click()
    page.get_by_role("button", name="Delete my data").click()
    expect(page.get_by_text("This cannot be undone")).to_be_visible()
    look(page, "delete-asked")
    assert rows_in(app.data, f"SELECT id FROM predictions WHERE id = '{mine}'"), (
        "nothing happens before the second press"
    )
    page.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_text("1 vibe check is deleted")).to_be_visible()
    look(page, "delete-done")
    assert not rows_in(app.data, f"SELECT id FROM predictions WHERE id = '{mine}'")
    assert rows_in(app.data, f"SELECT id FROM predictions WHERE id = '{others}'")
    assert not list(app.data.rglob(f"input_{mine}.jpg")) and list(app.data.rglob(f"input_{others}.jpg"))

    def visitor() -> str:
        now = {each["name"]: each["value"] for each in browsers[1].cookies()}
        return now.get("vibecheck_visitor", "")

    wait_for(lambda: visitor() not in ("", cookies["vibecheck_visitor"]), "the browser to be a new visitor")
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="What's your vibe?")).to_be_visible()
    expect(spotify_player(page)).to_have_count(0)
