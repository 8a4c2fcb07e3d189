"""The mood card: the live mood, or the result of a vibe check with its face (see `mood_card.js`)."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamlit as st

from vibecheck.emotions import EMOTIONS, NAMES, Distribution
from vibecheck.ui.home.live import NOTHING_COMES
from vibecheck.ui.home.vibe_check import Result
from vibecheck.ui.shared import face_pictures
from vibecheck.ui.shared.presses import once

KEY = "mood_card"
TEXTS = {
    "before": "Your vibe",
    "looking": "Looking…",
    "look": "Look into the camera.",
    "nobody": "No face",
    "nothing": NOTHING_COMES,
}
HOW = {
    "live": "Press START, or use a photo.",
    "photo": "Take a photo.",
    "upload": "Choose a picture or a short video.",
}
READY = "Press “Check my vibe”."
MOODS = [asdict(emotion) | {"headline": emotion.headline} for emotion in EMOTIONS]

SCRIPT = Path(__file__).with_name("mood_card.js")
_card = st.components.v2.component(
    "vibecheck_mood_card", js=SCRIPT.read_text(encoding="utf-8"), isolate_styles=False
)


def draw(
    playing: bool,
    how: str,
    result: Result | None,
    checked: Callable[[int], None],
    answered: Callable[[str], None] | None,
) -> None:
    """The card. Without a `result` it follows live video, or says `how` to start if none is `playing`.

    `checked` gets the number of the mark that was shown when "Check my vibe" was pressed, `answered` the mood
    whose number was pressed on the keyboard; it is None if nothing is asked. An answer to another result,
    which was still on the visitor's screen, is ignored.
    """
    last = ""

    def pressed() -> None:
        nonlocal last
        match getattr(st.session_state.get(KEY), "said", None):
            # One press may arrive twice: see `once`.
            case [asked, mood] if (
                answered and result and asked == result.key and mood in NAMES and mood != last
            ):
                last = mood
                answered(mood)

    @once
    def pressed_check() -> None:
        number = getattr(st.session_state.get(KEY), "checked", None)
        if playing and isinstance(number, int):
            st.session_state.presses = st.session_state.get("presses", 0) + 1
            checked(number)

    data = {
        "moods": MOODS,
        "texts": TEXTS | {"how": how},
        "playing": playing,
        "answers": answered is not None,
        # Changes with each press, as Streamlit draws a component again only if its data changed.
        "presses": st.session_state.get("presses", 0),
        "result": shown(result) if result else None,
    }
    _card(key=KEY, data=data, on_said_change=pressed, on_checked_change=pressed_check)


def shown(result: Result) -> dict[str, Any]:
    """A result as the card draws it."""
    prediction = result.prediction
    if prediction is None:
        return {"key": result.key, "label": "You picked", "mood": result.mood, "hint": ""}
    return {
        "key": result.key,
        "label": "You say" if result.said else "You look",
        "mood": result.heard,
        "face": face_pictures.as_data(result.face) if result.face else "",
        "probabilities": list(prediction.probabilities),
        "runner_up": Distribution.of(prediction.probabilities).runner_up,
        "clear": result.clear,
        "hint": " ".join(result.hints),
    }
