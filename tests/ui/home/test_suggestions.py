"""Which playlist comes next, in a session of Streamlit without a browser."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from tests.records.examples import a_prediction
from tests.ui.conftest import COOKIE, ME, ended_once
from tests.ui.examples import face, shares
from vibecheck.access.roles import Role
from vibecheck.emotions import NAMES
from vibecheck.errors import RecordsError
from vibecheck.music.recommender import ALL_HEARD, CALM, Mode
from vibecheck.records.db import circuit_breaker
from vibecheck.records.pictures import Pictures
from vibecheck.records.store import Store
from vibecheck.records.values import CANT_TELL, Prediction
from vibecheck.ui.access import gate
from vibecheck.ui.home import mood_card
from vibecheck.ui.home.vibe_check import Result


def press_another_one() -> None:
    """Two results of the same mood in one session, and "another one" until nothing new comes."""
    import streamlit as st

    from vibecheck.music.catalogue import read_catalogue
    from vibecheck.music.recommender import Music
    from vibecheck.ui.home import vibe_check
    from vibecheck.ui.home.vibe_check import Result
    from vibecheck.ui.shared import app

    app.music = lambda: Music(read_catalogue())
    given = []
    for result in (Result("sad"), Result("angry"), Result("sad", said="angry")):
        vibe_check.suggest(result, "match")
        for _ in range(3):
            given.append(vibe_check.suggest(result, "match", again=True))
    st.session_state.notes = [each.note for each in given]
    st.session_state.ids = [each.playlist.id for each in given]


def test_no_playlist_repeats_within_a_session(monkeypatch):
    from vibecheck.ui.shared import app

    monkeypatch.setattr(app, "music", app.music)  # which the script replaces
    session = AppTest.from_function(press_another_one, default_timeout=60).run().session_state
    heard = [key for key, note in zip(session.ids, session.notes, strict=True) if ALL_HEARD not in note]
    assert len(set(heard)) == len(heard) >= 6


def check_what_is_hard_to_tell() -> None:
    """A result that is hard to tell, then what the visitor says it was, and another that is clear."""
    from dataclasses import replace

    import streamlit as st

    from tests.records.examples import a_prediction
    from vibecheck.emotions import NAMES, Distribution
    from vibecheck.music.catalogue import read_catalogue
    from vibecheck.music.recommender import Music
    from vibecheck.ui.home import mood_card, vibe_check
    from vibecheck.ui.home.vibe_check import Result
    from vibecheck.ui.shared import app

    app.music = lambda: Music(read_catalogue())
    shares = {"angry": 0.38, "disgust": 0.33, "neutral": 0.29}
    read = Distribution.of([shares.get(name, 0.0) for name in NAMES])
    made = a_prediction(mood=read.mood, confidence=read.confidence, probabilities=read.probabilities)
    unclear = Result(made.mood, made)
    st.session_state.given = [
        vibe_check.suggest(unclear, "match"),
        vibe_check.suggest(unclear, "lift"),
        vibe_check.suggest(unclear, "match", again=True),
        vibe_check.suggest(replace(unclear, said="angry"), "match"),
    ]
    st.session_state.shown = [mood_card.shown(each) for each in (unclear, replace(unclear, said="angry"))]
    st.session_state.recorded = made


def test_hard_to_tell_result_is_recorded_as_the_larger_mood_and_plays_calm_music(monkeypatch):
    from vibecheck.ui.shared import app

    monkeypatch.setattr(app, "music", app.music)
    run = AppTest.from_function(check_what_is_hard_to_tell, default_timeout=60).run()
    assert not run.exception
    session = run.session_state
    names = [each.playlist.name for each in session.given]
    assert names == ["Rock Classics", "lofi beats", "Kickass Metal", "Kickass Metal"]
    assert session.given[0].reason == CALM
    assert [(each["mood"], each["clear"]) for each in session.shown] == [("angry", False), ("angry", True)]
    assert session.shown[0]["runner_up"] == "disgust"
    assert session.recorded.mood == "angry"


def load_again() -> None:
    """A vibe check that is hard to tell, and then the page once more."""
    import streamlit as st

    from vibecheck.ui.home import vibe_check
    from vibecheck.ui.shared import app

    made = app.store().get(st.session_state.made)
    first = vibe_check.suggest(vibe_check.Result(made.mood, made, recorded=True), "match")
    vibe_check.restore()
    st.session_state.reasons = [first.reason, vibe_check.playing().suggestion.reason]


def test_reason_is_unchanged_after_a_reload(store, open_page):
    shares = (0.38, 0.33, 0, 0, 0.29, 0, 0)
    made = a_prediction(
        mood="angry", confidence=0.38, probabilities=shares, visitor=ME, made_at=datetime.now(UTC)
    )
    store.add(made, None)
    page = AppTest.from_function(load_again, default_timeout=60)
    page.session_state["visitor"], page.session_state["made"] = COOKIE, made.id
    page.run()
    assert not page.exception
    assert page.session_state.reasons == [CALM] * 2


def open_again() -> None:
    """Home's result in a new session."""
    import streamlit as st

    from vibecheck.ui.home import mood_card, vibe_check

    vibe_check.restore()
    result = vibe_check.shown()
    st.session_state.shown = mood_card.shown(result)["mood"]
    st.session_state.brought_back = vibe_check.playing() is not None


def played_before(store: Store, mode: Mode) -> Prediction:
    """A happy vibe check of this visitor a moment ago, and the playlist that it led to."""
    made = a_prediction(mood="happy", visitor=ME, made_at=datetime.now(UTC))
    store.add(made, None)
    store.played(
        made.id, playlist_id="a" * 22, playlist_name="Songs", mode=mode, again=False, found_by="catalogue",
        now=datetime.now(UTC), category="happy", followed=None,
    )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("label", "mood", "brought_back"),
    [("happy", "happy", True), ("sad", "sad", False), (CANT_TELL, "happy", True)],
)
def test_reload_shows_the_last_answer_with_its_own_playlist(store, open_page, label, mood, brought_back):
    made = played_before(store, "match")
    store.label(made.id, label, "volunteered", ME, datetime.now(UTC))
    page = AppTest.from_function(open_again, default_timeout=60)
    page.session_state["visitor"] = COOKIE
    page.run()
    assert not page.exception
    assert (page.session_state.shown, page.session_state.brought_back) == (mood, brought_back)


def test_a_reload_shows_the_result_while_the_storage_of_the_pictures_fails(store, open_page, monkeypatch):
    def unavailable(*_):
        raise RecordsError("A picture could not be read.")

    store.add(a_prediction(mood="happy", visitor=ME, made_at=datetime.now(UTC), picture_kept=True), b"a face")
    monkeypatch.setattr(Pictures, "get", unavailable)
    page = AppTest.from_function(open_again, default_timeout=60)
    page.session_state["visitor"] = COOKIE
    page.run()
    assert not page.exception
    assert page.session_state.shown == "happy"


def test_a_result_is_shown_once_the_records_are_available_again(store, open_page, monkeypatch):
    def unavailable(*_):
        raise RecordsError("The records cannot be reached.")

    store.add(a_prediction(mood="happy", visitor=ME, made_at=datetime.now(UTC)), None)
    page = AppTest.from_function(card, default_timeout=60)
    page.session_state["visitor"] = COOKIE
    monkeypatch.setattr(circuit_breaker, "FACTOR", 0.0)  # the next run tries at once
    for method in ("page", "plays_of"):
        with monkeypatch.context() as outage:
            outage.setattr(Store, method, unavailable)
            assert "result" not in page.run().session_state
    assert page.run().session_state["result"].mood == "happy" and not page.exception


def test_a_result_does_not_replace_live_video_after_an_outage(store, open_page):
    store.add(a_prediction(mood="happy", visitor=ME, made_at=datetime.now(UTC)), None)
    page = AppTest.from_function(start_before_restoring, default_timeout=60)
    page.session_state["visitor"] = COOKIE
    page.run()
    assert not page.exception and page.session_state["result"] is None


def start_before_restoring() -> None:
    """Live video starts while the records are unavailable."""
    from vibecheck.ui.home import vibe_check

    vibe_check.close()
    vibe_check.restore()


@pytest.mark.parametrize("method", ["page", "plays_of", "picture"])
def test_a_result_is_restored_although_the_first_run_of_the_page_was_ended(
    store, open_page, monkeypatch, method
):
    made = played_before(store, "lift")
    monkeypatch.setattr(Store, method, ended_once(getattr(Store, method)))
    page = AppTest.from_function(card, default_timeout=60)
    page.session_state["visitor"] = COOKIE
    page.run()
    assert not page.exception
    assert page.session_state["result"].prediction == made
    assert page.session_state["playing"].suggestion.playlist.id == "a" * 22
    assert len(store.plays_of(made.id)) == 1


def keep_no_more() -> None:
    """A playlist for a recorded vibe check, after the visitor chose that nothing is kept."""
    import streamlit as st

    from vibecheck.ui.home import vibe_check
    from vibecheck.ui.shared import app

    st.session_state.keep = "nothing"
    made = app.store().get(st.session_state.made)
    vibe_check.suggest(vibe_check.Result(made.mood, made, recorded=True), "match", again=True)


def test_playlists_are_not_recorded_once_nothing_is_kept(store, open_page):
    made = a_prediction(mood="happy", visitor=ME, made_at=datetime.now(UTC))
    store.add(made, None)
    page = AppTest.from_function(keep_no_more, default_timeout=60)
    page.session_state["visitor"], page.session_state["made"] = COOKIE, made.id
    page.run()
    assert not page.exception
    assert page.session_state.playing and not store.plays_of(made.id)


def card() -> None:
    """Home's card of the restored result, without the face above it."""
    from vibecheck.ui.home import result, vibe_check
    from vibecheck.ui.home.camera import Input

    vibe_check.restore()
    result.card(Input("live"))


def audited_card(store, monkeypatch) -> tuple[Prediction, AppTest]:
    """A vibe check that asks whether it was right, and the card of it."""
    monkeypatch.setattr(gate, "role", lambda: Role.VISITOR)
    monkeypatch.setattr(mood_card, "draw", lambda *_: None)
    made = a_prediction(**shares("happy", 0.8), visitor=ME, made_at=datetime.now(UTC), audit=True)
    store.add(made, None)
    page = AppTest.from_function(card, default_timeout=60)
    page.session_state["visitor"] = COOKIE
    return made, page.run()


def test_playlist_that_cannot_be_recorded_leaves_the_answer_acknowledged(store, open_page, monkeypatch):
    def refused(*_, **__):
        raise RecordsError("The records cannot be reached.")

    made, page = audited_card(store, monkeypatch)
    page.button_group(key=f"answer-{made.id}").set_value("happy").run()
    with monkeypatch.context() as outage:
        outage.setattr(Store, "played", refused)
        page.button(key="another").click().run()
    for lost in (True, False):
        words = " ".join(each.value for each in (*page.run().markdown, *page.warning))
        assert "Noted: happy" in words and ("records cannot be reached" in words) == lost
        page.button(key="another").click().run()


def test_another_playlist_comes_although_the_run_of_the_page_is_ended_as_it_begins(
    store, open_page, monkeypatch
):
    made, page = audited_card(store, monkeypatch)
    monkeypatch.setattr(mood_card, "draw", ended_once(mood_card.draw))
    page.button(key="another").click().run()
    assert not page.exception
    assert [each.again for each in store.plays_of(made.id)] == [False, True]


def test_an_answer_changes_only_the_music_once_nothing_is_kept(store, open_page, monkeypatch):
    made, page = audited_card(store, monkeypatch)
    page.session_state["result"] = replace(page.session_state["result"], face=face())
    page.session_state["keep"] = "nothing"
    page.button_group(key=f"answer-{made.id}").set_value("no").run()
    page.button_group(key=f"answer-{made.id}").set_value("sad").run()
    words = " ".join(each.value for each in page.markdown)
    assert page.session_state["playing"].mood == "sad" and not page.exception
    assert "not recorded, as you chose" in words and "Noted" not in words and "Keep this face" not in words
    assert not store.feedback_of(made.id) and {each.followed for each in store.plays_of(made.id)} == {None}
    page.session_state["keep"] = "numbers"
    assert "not recorded" in " ".join(each.value for each in page.run().markdown)
    page.button_group(key=f"answer-{made.id}").set_value("fear").run()
    assert "Noted: afraid" in " ".join(each.value for each in page.markdown)
    assert [each.label for each in store.feedback_of(made.id)] == ["fear"]


def keep_more() -> None:
    """Home's result where nothing was to be kept when the page was opened, and then numbers are."""
    import streamlit as st

    from vibecheck.ui.home import vibe_check

    st.session_state.keep = "nothing"
    vibe_check.restore()
    st.session_state.keep = "numbers"
    vibe_check.restore()
    st.session_state.shown = vibe_check.shown()


def test_an_older_result_does_not_appear_when_the_visitor_lets_more_be_kept(store, open_page):
    store.add(a_prediction(mood="happy", visitor=ME, made_at=datetime.now(UTC)), None)
    page = AppTest.from_function(keep_more, default_timeout=60)
    page.session_state["visitor"] = COOKIE
    page.run()
    assert not page.exception
    assert page.session_state.shown is None


def test_a_label_given_on_corrections_changes_the_result_on_home(store, open_page):
    made = a_prediction(**shares("happy", 0.8), visitor=ME, made_at=datetime.now(UTC))
    store.add(made, None)
    page = open_page("pages/1_Corrections.py")
    page.session_state["result"] = Result(made.mood, made, recorded=True)
    key = NAMES.index("sad") + 1
    (button,) = [each for each in page.button if each.key and each.key.startswith(f"{key}-")]
    page = button.click().run()
    assert page.session_state.result.said == "sad"
    (undo,) = [each for each in page.button if each.label == "Undo"]
    assert undo.click().run().session_state.result.said == ""
