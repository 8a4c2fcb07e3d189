"""Who is looking: a random id in a cookie of this browser, known to the records only as a hash."""

import re
import secrets

import streamlit as st

from vibecheck.records.visitors import hash_of

COOKIE = "vibecheck_visitor"
YEAR = 365 * 24 * 3600
_ID = re.compile(r"[0-9a-f]{32}")


def visitor() -> str:
    """The hash of this browser's id; the first visit gives it one.

    The cookie is first-party and holds nothing but the random id. A browser that refuses cookies is
    a new visitor in each session.
    """
    if "visitor" not in st.session_state:
        known = st.context.cookies.get(COOKIE, "")
        st.session_state.new_visitor = not _ID.fullmatch(known)
        st.session_state.visitor = secrets.token_hex(16) if st.session_state.new_visitor else known
    return hash_of(st.session_state.visitor)


def remember() -> None:
    """Set the cookie of a new visitor. Draws an element without size: call it at the end of a page."""
    visitor()
    if not st.session_state.new_visitor:
        return
    cookie = f"{COOKIE}={st.session_state.visitor}; Path=/; Max-Age={YEAR}; SameSite=Lax"
    secure = "location.protocol === 'https:' ? '; Secure' : ''"
    st.html(f"<script>document.cookie = '{cookie}' + ({secure});</script>", unsafe_allow_javascript=True)
