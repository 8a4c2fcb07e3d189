"""The stage on Home, in a session of Streamlit without a browser."""

from datetime import UTC, datetime

from tests.records.examples import a_prediction
from tests.ui.conftest import ME, ROOT
from tests.ui.home.test_mood_card import State
from vibecheck.ui.home import live, stage


def test_why_no_check_was_made_stays_although_its_press_came_with_a_run_of_the_whole_page(
    set_up, page_of, monkeypatch
):
    monkeypatch.setattr("streamlit_webrtc.component.get_this_session_info", lambda: None)
    set_up()
    session = page_of(ROOT / "Home.py")
    session.session_state["way"] = "upload"
    session.run()
    # As the callback of the press leaves it.
    session.session_state["problem"], session.session_state["redraw"] = "No face was found.", True
    session.run()
    assert [each.value for each in session.warning] == ["No face was found."]


def test_a_result_that_a_reload_brought_back_stays_open_as_the_camera_starts(store, open_page, monkeypatch):
    monkeypatch.setattr(live, "video", lambda: True)
    store.add(a_prediction(visitor=ME, made_at=datetime.now(UTC)), None)
    page = open_page("Home.py")
    assert page.session_state["result_open"]
    assert "Check again" in [each.label for each in page.button]


def test_a_result_is_closed_when_the_visitor_starts_the_camera(monkeypatch):
    drawn = {}
    state = State(result_open=True)
    monkeypatch.setattr(stage.st, "session_state", state)
    monkeypatch.setattr(stage, "_stage", lambda **given: drawn.update(given))
    stage.stage({})
    assert state["result_open"]
    drawn["on_started_change"]()
    assert not state["result_open"]
