"""A video file on Home: one vibe check of its prevailing mood, its timeline, and a picture to share."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import check_my_vibe, look, mark, marked, settled, spotify_player, upload
from tests.browser.test_accessibility import problems
from tests.records.rows import rows_in
from tests.video.test_clip import NOBODY, face, video
from vibecheck.ui.home.share_picture import SIZE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(start_app):
    return start_app(VIBECHECK_AUDIT_SHARE="1")


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["laptop", "phone"])
def test_a_clip_shows_its_timeline_its_mood_and_a_picture_to_share(
    app, open_browser, astronaut, tmp_path, size
):
    clip = video(tmp_path / "me.mp4", [NOBODY] * 10 + [face(astronaut)] * 50).read_bytes()
    phone = {"has_touch": True, "is_mobile": True} if size[0] < 640 else {}
    page = open_browser(viewport={"width": size[0], "height": size[1]}, **phone).new_page()
    page.goto(app.url)
    upload(page, "me.mp4", clip, "video/mp4")
    look(page, f"clip-chosen-{size[0]}")
    check_my_vibe(page)
    expect(page.locator(".vc-mood.result .name")).to_have_text("Happy")
    expect(spotify_player(page)).to_be_visible()
    expect(page.locator(".st-key-checked canvas, .st-key-checked svg").first).to_be_visible()
    expect(page.get_by_text("of it: happy 100%")).to_be_visible()
    settled(page)
    look(page, f"clip-{size[0]}")
    assert problems(page, phone=bool(phone)) == []
    query = "SELECT source, mood, picture_kept FROM predictions ORDER BY made_at DESC LIMIT 1"
    assert rows_in(app.data, query) == [("video", "happy", 0)]

    page.get_by_role("button", name="Share").click()
    expect(page.get_by_text("With my face")).to_be_visible()
    look(page, f"clip-share-{size[0]}")
    without = downloaded(page)
    page.get_by_text("With my face").click()
    expect(page.get_by_role("checkbox", name="With my face")).to_be_checked()
    with_face = downloaded(page)
    for content in (without, with_face):
        with Image.open(BytesIO(content)) as picture:
            assert (picture.format, picture.size) == ("PNG", SIZE)
    assert without != with_face
    assert not list(app.data.rglob("input_*"))


def downloaded(page) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download picture").click()
    assert download.value.suggested_filename == "my-vibe-happy.png"
    return Path(download.value.path()).read_bytes()


def test_unusable_clip_is_reported_in_a_sentence(app, open_browser, tmp_path):
    page = open_browser().new_page()
    page.goto(app.url)
    upload(page, "nobody.mp4", video(tmp_path / "nobody.mp4", [NOBODY] * 10).read_bytes(), "video/mp4")
    check_my_vibe(page)
    expect(page.get_by_test_id("stAlert")).to_contain_text("No face was found in nobody.mp4.")
    look(page, "clip-nobody")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_mood_that_is_picked_while_a_clip_is_read_is_shown_at_once(app, open_browser, astronaut, tmp_path):
    clip = video(tmp_path / "me.mp4", [face(astronaut)] * 250, fps=5).read_bytes()
    page = open_browser().new_page()
    page.goto(app.url)
    page.get_by_role("button", name="Pick a mood yourself").click()
    page.get_by_role("button", name="Happy").click()
    expect(page.locator(".vc-mood .name")).to_have_text("Happy")
    upload(page, "me.mp4", clip, "video/mp4")
    mark(spotify_player(page))
    page.get_by_role("button", name="Check my vibe").click()
    page.get_by_text("Reading the video…").wait_for()
    assert marked(spotify_player(page)), "the music plays on"
    page.get_by_role("button", name="Pick a mood yourself").click()
    page.get_by_role("button", name="Sad").click()
    expect(page.locator(".vc-mood .name")).to_have_text("Sad")
    expect(page.get_by_text("Reading the video…")).to_have_count(0)
    expect(page.get_by_role("button", name="Check my vibe")).to_be_visible()
    settled(page)
    expect(page.locator(".vc-mood .name")).to_have_text("Sad")
