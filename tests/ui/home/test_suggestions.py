"""Which playlist comes next, in a session of Streamlit without a browser."""

from streamlit.testing.v1 import AppTest

from vibecheck.music.recommender import ALL_HEARD


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


def test_another_one_never_repeats_in_a_session_whatever_the_result(monkeypatch):
    from vibecheck.ui.shared import app

    monkeypatch.setattr(app, "music", app.music)  # which the script replaces
    session = AppTest.from_function(press_another_one).run().session_state
    heard = [key for key, note in zip(session.ids, session.notes, strict=True) if note != ALL_HEARD]
    assert len(set(heard)) == len(heard) >= 6
