"""A deletion in one tab while another tab of the same visitor records, or deletes as well."""

from collections import Counter

import pytest
from streamlit.testing.v1 import AppTest

from tests.end_to_end.conftest import photo
from tests.records.examples import a_prediction
from tests.ui.conftest import COOKIE, ME, ROOT, end_this_run
from tests.ui.examples import face
from vibecheck import check
from vibecheck.errors import RecordsError
from vibecheck.records.store import Store
from vibecheck.records.values import hash_of
from vibecheck.ui.access.access_link import visitors
from vibecheck.ui.home import live
from vibecheck.ui.shared import app
from vibecheck.ui.shared import visitor as this_browser
from vibecheck.vision.reader import Moment


@pytest.fixture
def recorded(set_up, monkeypatch) -> Counter[str]:
    """The number of vibe checks that are recorded, by the hash of their visitor."""
    set_up()
    monkeypatch.setattr(this_browser, "_shown", lambda: COOKIE)
    return Counter({ME: 3})


def test_records_of_another_tab_during_a_deletion_are_deleted(recorded):
    def forget(whose: str) -> int:
        count, recorded[whose] = recorded[whose], 0
        if this_browser.visitor() == whose:
            recorded[whose] = 1  # by another tab, which does not know of the deletion yet
        return count

    assert this_browser.replace_visitor(forget) == 4
    assert not +recorded and this_browser.visitor() != ME


def test_two_tabs_that_delete_at_once_lead_to_one_new_visitor(recorded):
    def forget(whose: str) -> int:
        return recorded.pop(whose, 0)

    def forget_slowly(whose: str) -> int:
        if recorded[ME]:
            this_browser.replace_visitor(forget)  # in another tab
            recorded[this_browser.visitor()] += 1  # which goes on
        return forget(whose)

    this_browser.replace_visitor(forget_slowly)
    assert recorded[this_browser.visitor()] == 1, "the visitor could not delete it any more"


def test_a_vibe_check_that_is_made_during_a_deletion_is_deleted(
    set_up, page_of, request_of_browser, monkeypatch
):
    def record_after_deletion(*args, **options):
        visitors().replace(COOKIE)
        return record(*args, **options)

    record = check.record
    monkeypatch.setattr(check, "record", record_after_deletion)
    monkeypatch.setattr("streamlit_webrtc.component.get_this_session_info", lambda: None)
    request_of_browser.cookies["vibecheck_visitor"] = COOKIE
    set_up()
    page = page_of(ROOT / "Home.py")
    page.session_state["way"] = "upload"
    page.run()
    page.file_uploader(key="upload").set_value(("me.jpg", photo(), "image/jpeg"))
    page.run()
    page.button(key="check").click().run()
    assert not page.exception
    assert app.store().count() == 0 and page.session_state["result"] is None
    assert hash_of(visitors().current(COOKIE)) != ME


def test_deletion_removes_the_thumbnails_that_the_session_has_cached(store, open_page):
    kept = a_prediction(visitor=ME, picture_kept=True)
    store.add(kept, face())
    page = open_page("pages/1_Corrections.py")
    assert list(page.session_state["thumbnails"]) == [kept.id]
    store.forget_visitor(ME, kept.made_at)  # in another tab
    visitors().replace(COOKIE)
    page.run()
    assert "thumbnails" not in page.session_state


def check_live() -> None:
    """Live video, a press of "Check my vibe", and the card."""
    import streamlit as st

    from vibecheck.ui.home import camera, vibe_check
    from vibecheck.ui.shared import delete_my_data

    delete_my_data.follow_deletion()
    st.session_state.setdefault("keep", "nothing")
    vibe_check.restore()
    st.button("Check", on_click=camera.check_live)


def test_the_first_vibe_check_after_a_deletion_in_another_tab_is_shown(
    store, open_page, monkeypatch, reader, astronaut
):
    monkeypatch.setattr(live, "moment", lambda number: Moment.of(reader.read_still(astronaut)))
    page = AppTest.from_function(check_live, default_timeout=60)
    page.session_state["visitor"] = COOKIE
    page.run()
    visitors().replace(COOKIE)
    page.button[0].click().run()
    assert not page.exception
    assert page.session_state["result"].mood == "happy" and page.session_state["result_open"]


def delete_everything() -> None:
    from vibecheck.ui.shared import delete_my_data

    delete_my_data._delete()


def test_a_deletion_is_reported_as_done_although_the_records_fail_right_after(store, open_page, monkeypatch):
    def unavailable(*_):
        raise RecordsError("The records cannot be reached.")

    store.add(a_prediction(visitor=ME), None)
    monkeypatch.setattr(Store, "marked_since", unavailable)
    page = AppTest.from_function(delete_everything, default_timeout=60)
    page.session_state["visitor"] = COOKIE
    page.run()
    assert not page.exception
    assert store.count() == 0 and page.session_state["deleted"].startswith("1 vibe check is deleted.")


@pytest.mark.parametrize("ended_by", ["request_rerun", "request_stop"])
def test_a_deletion_whose_run_of_the_page_is_ended_is_reported_as_done(
    store, open_page, monkeypatch, ended_by
):
    def forget(*args):
        count = original(*args)
        if count:
            end_this_run(ended_by)
        return count

    store.add(a_prediction(visitor=ME), None)
    original = Store.forget_visitor
    monkeypatch.setattr(Store, "forget_visitor", forget)
    page = AppTest.from_function(delete_everything_once, default_timeout=60)
    page.session_state["visitor"] = COOKIE
    page.run().run()
    assert not page.exception
    assert store.count() == 0 and page.session_state["deleted"].startswith("1 vibe check is deleted.")


def delete_everything_once() -> None:
    import streamlit as st

    from vibecheck.ui.shared import delete_my_data

    if "pressed" not in st.session_state:
        st.session_state.pressed = True
        delete_my_data._delete()
