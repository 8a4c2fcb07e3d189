from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from tests.ui.conftest import ROOT
from vibecheck.ui.access.browser_guard import KEEP_COOKIE as COOKIE
from vibecheck.ui.home.consent import CHOICES, parse
from vibecheck.ui.shared import app


@given(st.none() | st.text() | st.sampled_from(list(CHOICES)))
def test_unknown_consent_cookie_means_keep_numbers_only(text):
    assert parse(text) == (text if text in CHOICES else "numbers")


def test_the_first_choice_keeps_no_picture():
    assert list(CHOICES) == ["numbers", "face", "nothing"]


def say_what_is_kept() -> None:
    import streamlit as st

    from vibecheck.ui.home import consent

    st.session_state.said = consent.kept()


def test_one_day_is_one_day(set_up, page_of):
    set_up(VIBECHECK_RETENTION_DAYS="1")
    assert page_of(say_what_is_kept).run().session_state.said == "Only numbers are kept, for 1 day."


def test_nothing_is_said_to_be_kept_in_a_synthetic_installation(monkeypatch):
    said = {}
    for synthetic in (False, True):
        monkeypatch.setattr(app, "synthetic", lambda synthetic=synthetic: synthetic)
        page = AppTest.from_function(say_what_is_kept, default_timeout=60).run()
        assert not page.exception
        said[synthetic] = page.session_state.said
    assert said == {False: "Only numbers are kept, for 90 days.", True: "Nothing is kept."}


def test_a_choice_is_stored_once_and_does_not_replace_a_later_one_of_another_tab(
    set_up, page_of, request_of_browser, monkeypatch
):
    def stored() -> list[str]:
        return [each.proto.body for each in page.get("html") if COOKIE in each.proto.body]

    monkeypatch.setattr("streamlit_webrtc.component.get_this_session_info", lambda: None)
    set_up()
    page = page_of(ROOT / "Home.py").run()
    assert not stored()
    page.radio(key="keep").set_value("face").run()
    assert [f"{COOKIE}=face;" in each for each in stored()] == [True]
    page.run()
    assert not stored()
    request_of_browser.cookies[COOKIE] = "nothing"  # from another tab, as of this one's next connection
    page.run()
    assert not stored()
