"""The notice under the stage: what reads the face, what is kept, and the visitor's choice."""

from typing import Literal

import streamlit as st

from vibecheck.text.plurals import counted
from vibecheck.ui.access.browser_guard import KEEP_COOKIE, YEAR
from vibecheck.ui.shared import app, theme
from vibecheck.ui.shared.visitor import RENEW_COOKIES

Keep = Literal["numbers", "face", "nothing"]

CHOICES: dict[Keep, str] = {
    "numbers": "Keep nothing but numbers",
    "face": "Keep my face crop, so that the model can learn",
    "nothing": "Keep nothing at all",
}
KEPT: dict[Keep, str] = {
    "numbers": "Only numbers are kept, for {days}.",
    "face": "Numbers and your face crop are kept, for {days}.",
    "nothing": "Nothing is kept.",
}


def parse(text: str | None) -> Keep:
    """The choice that a cookie holds; for anything else, the one that keeps no picture."""
    return text if text in CHOICES else "numbers"


def choice() -> Keep:
    """What the visitor currently lets the app keep."""
    return st.session_state.get("keep") or parse(st.context.cookies.get(KEEP_COOKIE))


def kept() -> str:
    """What is kept, as a sentence."""
    kind: Keep = "nothing" if app.synthetic() else choice()
    return KEPT[kind].format(days=counted(app.settings().retention_days, "day"))


def notice() -> None:
    """Say that an AI reads the face and what is kept, and offer the choice, which this browser remembers."""
    with st.container(key="notice", horizontal=True, vertical_alignment="center"):
        theme.quiet(f"An AI reads a mood from your face. {kept()}")
        with st.popover("Change", type="tertiary"):
            st.radio(
                "What may be kept",
                list(CHOICES),
                index=list(CHOICES).index(choice()),
                format_func=CHOICES.get,
                key="keep",
                persist_state="session",
                on_change=_changed,
            )
            theme.quiet(
                "The picture itself is read in memory and then discarded. The numbers are the seven "
                "probabilities, and the brightness, sharpness, size, pose and landmarks of the face."
            )
            st.page_link("pages/4_About.py", label="What exactly, and why", icon=":material/info:")


def _changed() -> None:
    st.session_state.keep_changed = True


def remember() -> None:
    """Store a new choice in a cookie. Draws an element without size: call it at the end of a page.

    Only once, since the visitor may change the choice in another tab afterwards.
    """
    if "keep_changed" in st.session_state:
        cookie = f"{KEEP_COOKIE}={choice()}; Path=/; Max-Age={YEAR}; SameSite=Lax"
        secure = "location.protocol === 'https:' ? '; Secure' : ''"
        stored = f"document.cookie = '{cookie}' + ({secure})"
        st.html(f"<script>{stored}; {RENEW_COOKIES}</script>", unsafe_allow_javascript=True)
        del st.session_state.keep_changed
