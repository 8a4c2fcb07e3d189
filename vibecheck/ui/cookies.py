"""First-party cookies that a page sets: a name, a plain word, a year."""

import streamlit as st

YEAR = 365 * 24 * 3600


def set_cookie(name: str, value: str) -> None:
    """Set a cookie in this browser. Draws an element without size: call it at the end of a page.

    `name` and `value` are written into a script: letters, digits and _ only.
    """
    if not (name + value).isidentifier() and not (name + value).isalnum():
        raise ValueError(f"a cookie's name and value are letters, digits and _, not {name!r}, {value!r}")
    cookie = f"{name}={value}; Path=/; Max-Age={YEAR}; SameSite=Lax"
    secure = "location.protocol === 'https:' ? '; Secure' : ''"
    st.html(f"<script>document.cookie = '{cookie}' + ({secure});</script>", unsafe_allow_javascript=True)
