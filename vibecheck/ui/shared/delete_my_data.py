"""Delete my data: the button, and the question whether it is meant."""

from datetime import UTC, datetime

import streamlit as st

from vibecheck.errors import RecordsError
from vibecheck.ui.home import keep_later
from vibecheck.ui.shared import app, theme
from vibecheck.ui.shared.visitor import become_another, visitor

# What a session remembers of the vibe checks it made.
REMEMBERED = ("result", "suggestions", "note", "kept_later", "corrections")


def delete_my_data() -> None:
    """A button that deletes everything this browser's visitor gave, after asking whether it is meant."""
    if st.button("Delete my data", key="delete_my_data", icon=":material/delete:"):
        _confirm()
    if deleted := st.session_state.pop("deleted", ""):
        st.success(deleted, icon=":material/check:")


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
            st.warning(f"{error} What was not deleted is still there: press again.", icon="⚠️")
            return
        st.rerun()


def _delete() -> None:
    keep_later.let_go()
    now = datetime.now(UTC)
    count = app.store().forget_visitor(visitor(), now)
    learned = app.store().marked_since(now)
    for key in REMEMBERED:
        st.session_state.pop(key, None)
    become_another()
    checks = "1 vibe check is" if count == 1 else f"{count} vibe checks are"
    marked = " What a model learned from it stays in the model, which is marked." if learned else ""
    st.session_state.deleted = f"{checks} deleted. This browser is a new visitor now.{marked}"
