"""What becomes of a vibe check: the first thing that Home says, and the visitor's choice."""

from typing import Literal

import streamlit as st

from vibecheck.ui.shared import app, theme
from vibecheck.ui.shared.cookies import set_cookie

Keep = Literal["numbers", "face", "nothing"]

COOKIE = "vibecheck_keep"
CHOICES: dict[Keep, str] = {
    "numbers": "Keep nothing but numbers",
    "face": "Keep my face crop, so that the model can learn",
    "nothing": "Keep nothing at all",
}
ABOUT = "pages/4_About.py"


def parse(text: str | None) -> Keep:
    """The choice that a cookie holds; anything else is the one that keeps no picture."""
    return text if text in CHOICES else "numbers"


def choose() -> Keep:
    """Say what happens to the picture, and take the choice; it holds for the session and the browser."""
    days = app.settings().retention_days
    theme.plain(
        "Your picture is read in memory and then gone, unless you let its face crop stay. Numbers stay for "
        f"{days} days: the mood, and the light, sharpness, size, turn and landmarks of the face."
    )
    choices = list(CHOICES)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        choice = st.radio(
            "What may be kept",
            choices,
            index=choices.index(parse(st.context.cookies.get(COOKIE))),
            format_func=CHOICES.get,
            horizontal=True,
            label_visibility="collapsed",
            key="keep",
            persist_state="session",
        )
        st.page_link(ABOUT, label="What exactly, and why", icon=":material/info:")
    return choice


def remember(choice: Keep) -> None:
    """Note the choice in a cookie. Draws an element without size: call it at the end of a page."""
    if choice != parse(st.context.cookies.get(COOKIE)) or "keep_changed" in st.session_state:
        st.session_state.keep_changed = True
        set_cookie(COOKIE, choice)
