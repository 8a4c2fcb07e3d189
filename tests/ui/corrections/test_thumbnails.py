from types import SimpleNamespace

import pytest

from tests.ui.home.test_mood_card import State
from vibecheck.ui.corrections import labelling_session, thumbnails

SHOWN = ["0" * 32, "a1" * 16]


@pytest.mark.parametrize(
    ("pressed", "picked"),
    [(SHOWN[1], SHOWN[1]), ("f" * 32, None), ("", None), (None, None), (7, None), (SHOWN, None), ({}, None)],
)
def test_only_a_picture_that_was_shown_can_be_picked(monkeypatch, pressed, picked):
    drawn = {}
    state = State({thumbnails.GRID: SimpleNamespace(picked=pressed)})
    monkeypatch.setattr(thumbnails.st, "session_state", state)
    monkeypatch.setattr(thumbnails, "_grid", lambda **given: drawn.update(given))
    thumbnails.grid([{"id": each} for each in SHOWN])
    drawn["on_picked_change"]()
    assert labelling_session.progress().picked == picked
