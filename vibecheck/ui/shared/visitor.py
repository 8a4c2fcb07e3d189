"""Who is looking: a random id in a cookie of this browser, known to the records only as a hash."""

import re
import secrets
from zoneinfo import ZoneInfo

import streamlit as st

from vibecheck.records.values import hash_of
from vibecheck.ui.shared.cookies import set_cookie

COOKIE = "vibecheck_visitor"
_ID = re.compile(r"[0-9a-f]{32}")


def visitor() -> str:
    """The hash of this browser's id; the first visit gives it one.

    The cookie is first-party and holds nothing but the random id. A browser that refuses cookies is
    a new visitor in each session.
    """
    if "visitor" not in st.session_state:
        known = st.context.cookies.get(COOKIE, "")
        if _ID.fullmatch(known):
            st.session_state.visitor, st.session_state.new_visitor = known, False
        else:
            become_another()
    return hash_of(st.session_state.visitor)


def become_another() -> None:
    """From now on this browser has another id, which leads to nothing that the one before gave."""
    st.session_state.visitor, st.session_state.new_visitor = secrets.token_hex(16), True


def remember() -> None:
    """Set the cookie of a new visitor. Draws an element without size: call it at the end of a page."""
    visitor()
    if st.session_state.new_visitor:
        set_cookie(COOKIE, st.session_state.visitor)


def timezone() -> ZoneInfo:
    """The visitor's own time zone, as the browser tells it."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")
