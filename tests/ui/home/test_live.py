"""Live video on the page, without a browser."""

from types import SimpleNamespace

from streamlit.runtime.caching import clear_session_resource_cache
from streamlit.testing.v1 import AppTest
from streamlit_webrtc.webrtc import SignallingTimeoutError

from tests.ui.conftest import COOKIE, end_this_run
from vibecheck.records.values import hash_of
from vibecheck.ui.access.access_link import visitors
from vibecheck.ui.access.browser_guard import VISITOR_COOKIE
from vibecheck.ui.home import live
from vibecheck.video.stream import Stream

SESSION = "test session id"  # of every AppTest


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


def draw_again() -> None:
    from vibecheck.ui.home import live

    live.stream()


def test_webrtc_video_goes_on_although_the_first_run_after_a_reconnection_is_ended(monkeypatch):
    def open_and_end(stream) -> bool:
        if opened := original(stream):
            end_this_run()
        return opened

    nobody = SimpleNamespace(join=lambda stream: None, leave=lambda stream: None)
    monkeypatch.setattr(live, "analyser", lambda: nobody)
    original = Stream.open
    page = AppTest.from_function(draw_again, default_timeout=60)
    page.session_state["channel"] = channel = SimpleNamespace(send=print)
    page.session_state["stream"] = stream = Stream(nobody)
    stream.subscribe(channel.send)
    clear_session_resource_cache(SESSION)  # as Streamlit does when the connection ends
    stream.close()
    monkeypatch.setattr(Stream, "open", open_and_end)
    page.run()
    assert not page.exception and stream.is_subscribed(channel.send)


def connect() -> None:
    from vibecheck.ui.home import live

    live._webrtc()


def test_one_stream_and_one_data_channel_although_the_run_that_makes_them_is_ended(monkeypatch):
    joined, opened = [], []

    class Channel:
        def __init__(self, connection, loop) -> None:
            self.connection = connection
            opened.append(self)
            if len(opened) < 3:
                end_this_run()

        def send(self, text: str) -> None: ...

    def join(stream: Stream) -> None:
        joined.append(stream)
        if len(joined) < 3:
            end_this_run()

    clear_session_resource_cache(SESSION)
    worker = SimpleNamespace(pc=object())
    monkeypatch.setattr(live, "analyser", lambda: SimpleNamespace(join=join, leave=lambda stream: None))
    monkeypatch.setattr(live, "_streamer", lambda: SimpleNamespace(_get_worker=lambda: worker))
    monkeypatch.setattr(live, "DataChannel", Channel)
    page = AppTest.from_function(connect, default_timeout=60).run()
    assert not page.exception
    ((stream,), (channel,)) = joined, opened
    assert page.session_state["stream"] is stream and stream.is_subscribed(channel.send)


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
