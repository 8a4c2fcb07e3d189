"""A visitor with a photo: mood, playlist, "was this right?"."""

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import (
    answer_no,
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
from vibecheck.music.catalogue import read_catalogue

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(start_app):
    return start_app(VIBECHECK_AUDIT_SHARE="1")


@pytest.fixture
def page(app, open_browser):
    page = open_browser().new_page()
    page.goto(app.url)
    expect(page.get_by_role("heading", name="What's your vibe?")).to_be_visible()
    return page


@pytest.mark.quick
def test_photo_leads_to_a_mood_a_playlist_and_an_answer(app, page, astronaut):
    look(page, "home-empty")
    upload(page, "astronaut.jpg", jpeg(astronaut))
    check_my_vibe(page)

    expect(page.locator(".vc-mood .name")).to_have_text("Happy")
    meter = page.get_by_role("meter", name="Confidence")
    expect(meter).to_have_attribute("aria-valuenow", re.compile(r"^(9\d|100)$"))
    page.get_by_text("All seven", exact=True).click()
    for mood in ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"):
        expect(page.get_by_role("meter", name=mood)).to_be_attached()
    photo = page.get_by_alt_text("Your photo with the faces that were found")
    expect(photo).to_be_visible()
    box, button = photo.bounding_box(), page.get_by_role("button", name="Check again").bounding_box()
    assert box["y"] + box["height"] < button["y"], "the button does not cover the photo"
    expect(page.get_by_alt_text("Your face at that moment")).to_be_visible()
    ids = [playlist.id for playlist in read_catalogue()["happy"].playlists]
    expect(spotify_player(page)).to_have_attribute("src", re.compile("|".join(ids)))
    look(page, "photo-checked")

    # Nothing that is pressed about the result touches the player, unless it asks for other music.
    mark(spotify_player(page))
    page.get_by_role("radio", name="Yes").click()
    expect(page.get_by_text("Noted: happy")).to_be_visible()
    answer_no(page)
    keep(page, "Keep my face crop")
    settled(page)
    assert marked(spotify_player(page))
    # The answer changes the result at once, and the music with it.
    before = spotify_player(page).get_attribute("src")
    page.get_by_role("radio", name="Surprise").click()
    expect(page.get_by_text("Noted: surprised")).to_be_visible()
    expect(page.get_by_text("You say", exact=True)).to_be_visible()
    expect(page.locator(".vc-mood .name")).to_have_text("Surprised")
    expect(spotify_player(page)).not_to_have_attribute("src", before)
    look(page, "photo-answered")

    ((prediction, mood, kept),) = rows_in(app.data, "SELECT id, mood, picture_kept FROM predictions")
    assert (mood, kept) == ("happy", 0)
    answers = rows_in(app.data, "SELECT prediction_id, n, label FROM feedback ORDER BY n")
    assert answers == [(prediction, 1, "happy"), (prediction, 2, "surprise")]
    assert {row[0] for row in rows_in(app.data, "SELECT prediction_id FROM plays")} == {prediction}
    assert not list(app.data.rglob("input_*"))


def test_another_one_and_lift_my_mood_change_the_playlist(page, astronaut):
    upload(page, "astronaut.jpg", jpeg(astronaut))
    check_my_vibe(page)
    player = spotify_player(page)
    first = player.get_attribute("src")
    page.get_by_role("button", name="Another one").click()
    expect(player).not_to_have_attribute("src", first)
    second = player.get_attribute("src")
    link = page.get_by_role("link", name="Open in Spotify")
    expect(link).to_have_attribute("href", re.compile(re.search(r"playlist/(\w{22})", second)[1]))
    page.get_by_role("radio", name="Lift my mood").click()
    expect(player).not_to_have_attribute("src", second)
    look(page, "photo-lift")


def test_the_picture_is_kept_only_after_a_yes(app, page, astronaut):
    keep(page, "Keep my face crop")
    upload(page, "astronaut.jpg", jpeg(astronaut))
    check_my_vibe(page)
    expect(spotify_player(page)).to_be_visible()
    (path,) = app.data.rglob("input_*.jpg")
    ((prediction,),) = rows_in(app.data, "SELECT id FROM predictions WHERE picture_kept")
    assert path.name == f"input_{prediction}.jpg"
    with Image.open(path) as kept:
        assert max(kept.size) <= 320
        assert not kept.getexif()


def test_camera_photo_is_read(app, open_browser, astronaut, tmp_path):
    webcam = tmp_path / "webcam.mjpeg"
    frame = np.full((480, 640, 3), 90, np.uint8)
    frame[:, 64:576] = astronaut[:480]
    webcam.write_bytes(jpeg(frame, quality=90) * 30)
    page = open_browser(webcam).new_page()
    page.goto(app.url)
    page.get_by_role("radio", name="Photo").click()
    page.wait_for_function("document.querySelector('[data-testid=stCameraInput] video')?.readyState >= 2")
    page.get_by_role("button", name="Take Photo").click()
    expect(page.get_by_role("button", name="Check my vibe")).to_be_enabled()
    check_my_vibe(page)
    expect(page.locator(".vc-mood .name")).to_have_text("Happy")
    expect(spotify_player(page)).to_be_visible()
    look(page, "photo-camera")


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("cup.jpg", lambda cup: jpeg(cup), "No face was found"),
        ("broken.jpg", lambda cup: jpeg(cup)[:2000], "broken.jpg"),
        ("text.png", lambda cup: b"not a picture", "text.png"),
    ],
)
def test_unreadable_photo_is_reported_in_one_sentence(page, empty_room, name, make, sentence):
    upload(page, name, make(empty_room))
    check_my_vibe(page)
    expect(page.get_by_test_id("stAlert")).to_contain_text(sentence)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    look(page, f"photo-refused-{name}")


def test_a_browser_is_the_same_visitor_after_a_reload(app, page, astronaut):
    upload(page, "one.jpg", jpeg(astronaut))
    check_my_vibe(page)
    expect(spotify_player(page)).to_be_visible()
    page.reload()
    upload(page, "two.jpg", jpeg(astronaut))
    check_my_vibe(page)
    expect(page.get_by_alt_text("Your face at that moment")).to_be_visible()  # not the one before
    last = rows_in(app.data, "SELECT visitor FROM predictions ORDER BY made_at DESC LIMIT 2")
    assert last[0] == last[1]
    cookie = next(c for c in page.context.cookies() if c["name"] == "vibecheck_visitor")
    assert cookie["value"] not in last[0], "the records know the visitor only by a hash"
