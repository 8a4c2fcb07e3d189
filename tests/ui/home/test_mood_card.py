"""What the mood card tells the app."""

from types import SimpleNamespace

import pytest

from tests.records.examples import a_prediction
from vibecheck.ui.home import mood_card
from vibecheck.ui.home.vibe_check import Result


class State(dict):
    """In place of Streamlit's session state."""

    __setattr__ = dict.__setitem__


@pytest.mark.parametrize(
    ("asked", "mood", "answers"),
    [("shown", "sad", ["sad"]), ("an earlier one", "sad", []), ("shown", "nonsense", [])],
)
def test_an_answer_by_key_counts_only_for_the_result_that_was_on_the_screen(
    monkeypatch, asked, mood, answers
):
    made = a_prediction()
    key = made.id if asked == "shown" else "0" * 32
    drawn = {}
    monkeypatch.setattr(
        mood_card.st, "session_state", State({mood_card.KEY: SimpleNamespace(said=[key, mood])})
    )
    monkeypatch.setattr(mood_card, "_card", lambda **given: drawn.update(given))
    given = []
    mood_card.draw(False, "", Result(made.mood, made, recorded=True), lambda number: None, given.append)
    drawn["on_said_change"]()
    drawn["on_said_change"]()  # as Streamlit may deliver one press twice
    assert given == answers


def test_a_press_that_is_delivered_twice_is_one_vibe_check(monkeypatch):
    drawn = {}
    monkeypatch.setattr(mood_card.st, "session_state", State({mood_card.KEY: SimpleNamespace(checked=7)}))
    monkeypatch.setattr(mood_card, "_card", lambda **given: drawn.update(given))
    checked = []
    mood_card.draw(True, "", None, checked.append, None)
    for _ in range(2):
        drawn["on_checked_change"]()
    assert checked == [7]
    mood_card.draw(True, "", None, checked.append, None)
    drawn["on_checked_change"]()
    assert checked == [7, 7], "the next press counts"
