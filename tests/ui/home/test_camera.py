"""The stage on Home, in a session of Streamlit without a browser."""

from tests.ui.conftest import ROOT


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
