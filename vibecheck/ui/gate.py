"""The gate of each page: the role of this session."""

import streamlit as st

from vibecheck.access import Role


def role() -> Role:
    """The role of this session now."""
    own_machine = st.get_option("server.address") in ("127.0.0.1", "localhost")
    return st.session_state.get("role", Role.TRAINER if own_machine else Role.VISITOR)


def require(needed: Role) -> None:
    """Go on only in a session that has at least this role."""
    if role() < needed:
        st.stop()
