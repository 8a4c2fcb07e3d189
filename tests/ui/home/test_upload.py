"""Uploads on Home, in a session of Streamlit without a browser."""

from pathlib import Path

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from tests.ui.conftest import COOKIE, ROOT, ended_once
from tests.video.test_clip import NOBODY, face, video
from vibecheck.check import CheckLimiter
from vibecheck.records.store import Store
from vibecheck.ui.access.browser_guard import VISITOR_COOKIE
from vibecheck.ui.home import vibe_check
from vibecheck.ui.home.vibe_check import ONLY_NUMBERS
from vibecheck.ui.shared import app
from vibecheck.vision.images import encode_jpeg
from vibecheck.vision.reader import Reader


@pytest.fixture
def check(set_up, page_of, monkeypatch):
    """Uploads a file on Home and presses "Check my vibe"."""
    monkeypatch.setattr("streamlit_webrtc.component.get_this_session_info", lambda: None)
    set_up()

    def check_file(name: str, content: bytes, mime: str = "video/mp4"):
        session = page_of(ROOT / "Home.py")
        session.session_state["way"] = "upload"
        session.run()
        session.file_uploader(key="upload").set_value((name, content, mime))
        session.run()
        session.button(key="check").click().run()
        assert not session.exception
        return session

    return check_file


def clip(tmp_path: Path, frames: list) -> bytes:
    return video(tmp_path / "clip.mp4", frames).read_bytes()


def test_video_is_recorded_as_one_vibe_check_of_its_prevailing_mood(check, tmp_path, astronaut):
    page = check("me.mp4", clip(tmp_path, [NOBODY] * 4 + [face(astronaut)] * 10))
    ((stored, _),) = app.store().history()
    assert (stored.source, stored.mood) == ("video", "happy")
    result = page.session_state["result"]
    assert result.prediction == stored and result.face and result.recorded
    assert {mood.mood for _, mood in result.timeline if mood} == {"happy"}
    assert page.session_state["playing"].mood == "happy"
    assert any(result.summary in each.value for each in page.markdown)
    assert page.get("vega_lite_chart")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\0\0\0\x18ftypisom" + bytes(100), "me.mp4 is not a video that can be read."),
        (None, "No face was found in me.mp4."),
    ],
    ids=["damaged", "nobody"],
)
def test_unusable_video_is_reported_in_a_sentence(check, tmp_path, content, sentence):
    page = check("me.mp4", content or clip(tmp_path, [NOBODY] * 4))
    assert [each.value for each in page.warning if sentence in each.value]
    assert app.store().count() == 0 and page.session_state["result"] is None


@pytest.mark.parametrize("name", ["me.mp4", "me.jpg"])
def test_file_beyond_the_limit_per_minute_is_refused_before_it_is_read(
    check, tmp_path, astronaut, monkeypatch, name
):
    limiter = CheckLimiter(for_all=1)
    limiter.admit("another")
    monkeypatch.setattr("vibecheck.check.limiter", limiter)
    monkeypatch.setattr(Reader, "read_still", None)
    monkeypatch.setattr(Reader, "read_frame", None)
    content = clip(tmp_path, [face(astronaut)] * 4) if name == "me.mp4" else encode_jpeg(astronaut)
    page = check(name, content, "video/mp4" if name == "me.mp4" else "image/jpeg")
    assert any("Too many people check their vibe" in each.value for each in page.warning)


@pytest.mark.parametrize("ended_by", ["request_rerun", "request_stop"])
@pytest.mark.parametrize(
    ("owner", "method"),
    [(Reader, "read_still"), (Reader, "read_frame"), (Store, "add"), (Store, "played")],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_check_whose_run_of_the_page_is_ended_is_made_once_and_shown(
    check, tmp_path, astronaut, request_of_browser, monkeypatch, owner, method, ended_by
):
    monkeypatch.setattr(owner, method, ended_once(getattr(owner, method), ended_by))
    request_of_browser.cookies[VISITOR_COOKIE] = COOKIE
    if method == "read_frame":
        page = check("me.mp4", clip(tmp_path, [face(astronaut)] * 4))
    else:
        page = check("me.jpg", encode_jpeg(astronaut), "image/jpeg")
    page.run()
    ((stored, _),) = app.store().history()
    assert page.session_state["result"].prediction == stored and page.session_state["result_open"]
    (play,) = app.store().plays_of(stored.id)
    assert play.playlist_id == page.session_state["playing"].suggestion.playlist.id
    page.button(key="again").click().run()
    assert app.store().count() == 1


def test_check_is_made_although_the_run_of_the_page_is_ended_as_it_begins(check, monkeypatch):
    page = check("a.jpg", b"no picture", "image/jpeg")
    monkeypatch.setattr(vibe_check, "restore", ended_once(vibe_check.restore))
    page.button(key="check").click().run()
    assert not page.exception and page.warning[0].value.startswith("a.jpg is not a picture")


def test_file_name_is_shown_as_it_is(check):
    page = check("a *b* $c$.jpg", b"no picture", "image/jpeg")
    (warning,) = page.warning
    assert warning.value.startswith(r"a \*b\* \$c\$.jpg is not a picture")


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [("unusable", "A picture could not be written"), ("full", "The disk is nearly full")],
)
def test_numbers_are_recorded_where_the_face_cannot_be_kept(
    check, tmp_path, astronaut, request_of_browser, monkeypatch, trouble, sentence
):
    if trouble == "unusable":
        (tmp_path / "data" / "images").write_text("a file is in the way")
    else:
        monkeypatch.setattr("vibecheck.records.pictures.FREE_DISK_FLOOR", 10**18)
    request_of_browser.cookies["vibecheck_keep"] = "face"
    page = check("me.jpg", encode_jpeg(astronaut), "image/jpeg")
    ((stored, _),) = app.store().history()
    assert page.session_state["result"].prediction == stored and not stored.picture_kept
    (warning,) = page.warning
    assert warning.value.startswith(sentence) and warning.value.endswith(ONLY_NUMBERS)
    assert app.store().plays_of(stored.id)


def test_file_is_freed_when_the_visitor_leaves_its_uploader_or_shows_another(check, monkeypatch):
    freed = []
    monkeypatch.setattr(MemoryUploadedFileManager, "remove_file", lambda _, session, file: freed.append(file))
    page = check("a.jpg", b"no picture", "image/jpeg")
    first = page.file_uploader(key="upload").value.file_id
    assert not freed
    page.file_uploader(key="upload").set_value(("b.jpg", b"no picture", "image/jpeg")).run()
    second = page.file_uploader(key="upload").value.file_id
    assert freed == [first] and second != first
    page.session_state["way"] = "live"
    page.run()
    page.run()
    assert freed == [first, second] and not page.exception
