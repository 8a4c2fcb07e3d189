"""Uploads on Home, in a session of Streamlit without a browser."""

from pathlib import Path

import pytest

from tests.ui.conftest import ROOT
from tests.video.test_clip import NOBODY, face, video
from vibecheck.ui.shared import app


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
    assert {mood.mood for _, mood in result.timeline.moods if mood} == {"happy"}
    assert page.session_state["playing"].mood == "happy"
    assert any(result.timeline.sentence in each.value for each in page.markdown)
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
