"""Presses while a video is read, which takes seconds: each counts, for what was on the screen."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from skimage import data

from benchmarks.harness.page_client import Visitor
from tests.databases import open_store
from tests.end_to_end.conftest import NOTHING, UPLOAD, check_vibe, photo
from tests.video.test_clip import face, video
from vibecheck.errors import UnknownPrediction
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.ui.home.camera import LOST
from vibecheck.ui.shared.theme import literal


@pytest.fixture(scope="module")
def app(run_app):
    running = run_app()
    running.ready()
    return running


@pytest.fixture(scope="module")
def store(app) -> Iterator[Store]:
    with closing(open_store(Settings(data=app.data, model="embedded"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> bytes:
    """Half a minute of somebody smiling."""
    frames = [face(data.astronaut())] * 150
    return video(tmp_path_factory.mktemp("clip") / "me.mp4", frames, fps=5).read_bytes()


@pytest.fixture
def tab(app) -> Iterator[Visitor]:
    with Visitor(app.url) as opened:
        yield opened


def press_while_read(tab: Visitor, clip: bytes, press) -> None:
    """Check a video, and press something else as soon as it is read; waits until everything is done."""
    tab.pick("way", UPLOAD)
    tab.upload("upload", "me.mp4", clip)
    wait, tab.wait_for_run = tab.wait_for_run, lambda: None
    tab.press("check")
    for message in tab._messages():
        if message.WhichOneof("type") == "delta":
            tab._place(message)
        if message.delta.new_element.progress.text == "Reading the video…":
            break
    press()
    tab.wait_for_run = wait
    tab.wait_for_run()
    tab.rerun()
    assert tab.errors() == []


def test_a_picked_mood_ends_the_reading(tab, store, clip):
    press_while_read(tab, clip, lambda: tab.press("pick-sad"))
    assert "You picked" in str(tab.find("mood_card")) and store.count() == 0


def test_another_playlist_is_for_the_result_that_was_shown(tab, store, clip):
    first = check_vibe(tab)
    press_while_read(tab, clip, lambda: tab.press("another"))
    newest = tab.find("answer-").id.rpartition("-")[2]
    assert store.get(newest).source == "video"
    assert [len(store.plays_of(each)) for each in (first, newest)] == [2, 1]


def test_an_answer_counts_for_the_result_that_was_shown(tab, store, clip):
    first = check_vibe(tab)
    press_while_read(tab, clip, lambda: tab.pick("answer-", 0))
    newest = tab.find("answer-").id.rpartition("-")[2]
    assert store.get(newest).source == "video"
    assert [len(store.feedback_of(each)) for each in (first, newest)] == [1, 0]


@pytest.mark.parametrize(("way", "key"), [(UPLOAD, "upload"), (1, "photo")])
def test_a_file_that_is_gone_after_a_long_interruption_is_reported(app, way, key):
    cookies = {"vibecheck_visitor": "f" * 32}
    with Visitor(app.url, cookies=cookies) as before:
        before.pick("way", way)
        before.upload(key, "me.jpg", photo())
        assert before.has("check") and LOST not in before.text()
        kept = list(before._widgets.values())
    with Visitor(app.url, cookies=cookies) as after:  # a new session, with the widgets of the browser's page
        after.rerun(also=kept)
        assert not after.has("check") and literal(LOST) in after.text() and not after.errors()
        after.pick("way", way)
        after.upload(key, "me.jpg", photo())
        assert after.has("check") and literal(LOST) not in after.text()


def test_a_choice_to_keep_nothing_counts_for_the_video_that_is_read(tab, store, clip):
    before = store.count()
    press_while_read(tab, clip, lambda: tab.pick("keep", NOTHING))
    assert "Nothing from this vibe check was kept" in tab.text() and store.count() == before


def test_data_that_is_deleted_in_another_tab_stays_deleted_while_a_video_is_read(app, tab, store, clip):
    first = check_vibe(tab)
    cookies = tab.http.cookies.get_dict()

    def delete_elsewhere() -> None:
        with Visitor(app.url, page="About", cookies=cookies) as other:
            other.press("delete_my_data")
            other.press("delete_surely")

    press_while_read(tab, clip, delete_elsewhere)
    newest = tab.find("answer-").id.rpartition("-")[2]
    assert store.get(newest).source == "video"
    with pytest.raises(UnknownPrediction):
        store.get(first)
