"""Stops a page for those who may not see it."""

import streamlit as st

from vibecheck.access import Role


def role() -> Role:
    """What the visitor may do."""
    return Role.TRAINER


def require(needed: Role) -> None:
    """Stops the page for everybody with a lesser role."""
    if role() < needed:
        st.error("This page is not open to you.", icon="🔒")
        st.stop()
