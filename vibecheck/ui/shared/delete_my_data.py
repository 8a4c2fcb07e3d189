"""Delete my data: the button, its confirmation, and how other tabs of the same visitor follow."""

from contextlib import suppress
from datetime import UTC, datetime

import streamlit as st

from vibecheck.errors import RecordsError
from vibecheck.ui.shared import app, theme
from vibecheck.ui.shared.error_text import error_text
from vibecheck.ui.shared.presses import remember
from vibecheck.ui.shared.visitor import RENEW_COOKIES, replace_visitor, visitor

# What a session remembers of its visitor.
REMEMBERED = (
    "result", "result_open", "playing", "note", "keep_answered", "corrections", "thumbnails", "ticket"
)  # fmt: skip


def delete_my_data() -> None:
    """A button that deletes all data of this browser's visitor, after a confirmation."""
    if st.button("Delete my data", key="delete_my_data", icon=":material/delete:"):
        _confirm()
    if deleted := st.session_state.pop("deleted", ""):
        st.success(deleted, icon=":material/check:")
        st.html(f"<script>{RENEW_COOKIES}</script>", unsafe_allow_javascript=True)


def follow_deletion() -> None:
    """Forget what this session remembers, if its visitor has deleted their data in any tab."""
    now = visitor()
    if st.session_state.setdefault("remembered_of", now) != now:
        for key in REMEMBERED:
            st.session_state.pop(key, None)
        st.session_state.remembered_of = now


@st.dialog("Delete my data?")
def _confirm() -> None:
    theme.plain(
        "Every vibe check of this browser is deleted, with its picture, its answers and its playlists: "
        "here at once, and in Comet, if copies were sent there, with the next upload. This cannot be undone."
    )
    with st.container(horizontal=True):
        sure = st.button("Delete everything", type="primary", key="delete_surely")
        if st.button("Keep it", key="delete_not"):
            st.rerun()
    if sure:
        try:
            _delete()
        except RecordsError as error:
            st.warning(f"{error_text(error)} What was not deleted is still there: press again.", icon="⚠️")
            return
        st.rerun()


def _delete() -> None:
    now = datetime.now(UTC)
    count = replace_visitor(lambda whose: app.store().forget_visitor(whose, now))
    learned = {}
    with suppress(RecordsError):  # all is deleted
        learned = app.store().marked_since(now)
    checks = "1 vibe check is" if count == 1 else f"{count} vibe checks are"
    marked = " What a model learned from it stays in the model, which is marked." if learned else ""
    remember(deleted=f"{checks} deleted. This browser is a new visitor now.{marked}")
    follow_deletion()
