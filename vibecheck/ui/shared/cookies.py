"""First-party cookies that a page's script sets, for preferences: a name, a word, a year."""

import re

import streamlit as st

YEAR = 365 * 24 * 3600


def set_cookie(name: str, value: str) -> None:
    """Set a cookie in this browser. Adds an invisible element: call it at the end of a page."""
    st.html(script(name, value), unsafe_allow_javascript=True)


def script(name: str, value: str) -> str:
    """The script that sets a cookie. Raises ValueError for anything but letters, digits and _."""
    if not all(re.fullmatch(r"[0-9A-Za-z_]+", part) for part in (name, value)):
        raise ValueError(f"a cookie's name and value are letters, digits and _, not {name!r}, {value!r}")
    cookie = f"{name}={value}; Path=/; Max-Age={YEAR}; SameSite=Lax"
    secure = "location.protocol === 'https:' ? '; Secure' : ''"
    return f"<script>document.cookie = '{cookie}' + ({secure});</script>"
