"""Live video on the page, without a browser."""

from types import SimpleNamespace

from streamlit.testing.v1 import AppTest
from streamlit_webrtc.webrtc import SignallingTimeoutError

from tests.ui.conftest import COOKIE
from vibecheck.records.values import hash_of
from vibecheck.ui.access.access_link import visitors
from vibecheck.ui.access.browser_guard import VISITOR_COOKIE
from vibecheck.ui.home import live


def test_a_machine_too_busy_to_answer_the_browser_in_time_still_draws_the_page(monkeypatch):
    def too_busy() -> None:
        raise SignallingTimeoutError

    context = SimpleNamespace(_get_worker=lambda: None)
    monkeypatch.setattr(live, "_streamer", too_busy)
    monkeypatch.setattr(live.st, "session_state", {live.KEY: context})
    assert live._webrtc() is context


def connect_again() -> None:
    """WebRTC video whose page loses its connection to the app for a moment."""
    from types import SimpleNamespace

    import streamlit as st

    from vibecheck.ui.home import live

    live._stream.clear()  # that of an earlier test, whose session had the same id
    channel = st.session_state.channel = SimpleNamespace(send=print)
    before = live.stream()
    before.subscribe(channel.send)
    live._stream.clear()  # as Streamlit does when the connection ends
    st.session_state.closed = not before.is_subscribed(channel.send)
    after = live.stream()
    st.session_state.goes_on = after is before and after.is_subscribed(channel.send)


def test_webrtc_video_is_read_again_when_the_page_has_connected_again(monkeypatch):
    nobody = SimpleNamespace(join=lambda stream: None, leave=lambda stream: None)
    monkeypatch.setattr(live, "analyser", lambda: nobody)
    page = AppTest.from_function(connect_again, default_timeout=60).run()
    assert not page.exception
    assert (page.session_state.closed, page.session_state.goes_on) == (True, True)


def draw_stage() -> None:
    """The way of the video over the page's own connection."""
    import streamlit as st

    from vibecheck.ui.home import live
    from vibecheck.ui.shared import delete_my_data

    delete_my_data.follow_deletion()
    st.session_state.ticket_drawn = live._route()["ticket"]


def test_video_over_the_pages_own_connection_starts_after_a_deletion_in_another_tab(
    set_up, page_of, request_of_browser, monkeypatch
):
    nobody = SimpleNamespace(join=lambda stream: None, leave=lambda stream: None)
    monkeypatch.setattr(live, "analyser", lambda: nobody)
    request_of_browser.cookies[VISITOR_COOKIE] = COOKIE
    set_up()
    page = page_of(draw_stage).run()
    new = visitors().replace(COOKIE)
    page.run()
    assert not page.exception
    assert live.tickets().redeem(page.session_state["ticket_drawn"], hash_of(new))
