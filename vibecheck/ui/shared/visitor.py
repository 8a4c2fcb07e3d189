"""The visitor: a random id in a cookie of this browser, stored in the records only as a hash."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from vibecheck.access.browsers import is_visitor, new_visitor
from vibecheck.records.values import hash_of
from vibecheck.ui.access.access_link import session_owners, visitors
from vibecheck.ui.access.browser_guard import VISITOR_COOKIE

# Loads any page, since its response sets cookies: a script can set no HttpOnly one, such as that of a new id,
# and in Safari none that lasts.
RENEW_COOKIES = "fetch(window.location.pathname, {cache: 'no-store'})"


def visitor() -> str:
    """The hash of this browser's visitor id. A deletion changes it at once in every tab."""
    return hash_of(visitors().current(_shown()))


def replace_visitor(forget: Callable[[str], int]) -> int:
    """Delete all data of this visitor, and give the browser a new id that cannot be linked to the old one.

    `forget` deletes all that is recorded under a hash, and returns the number of vibe checks; so does this.
    """
    old = visitors().current(_shown())
    count = forget(hash_of(old))
    visitors().replace(old)
    # Another tab may have recorded a vibe check in between; what is recorded later, it deletes itself.
    return count + forget(hash_of(old))


def _shown() -> str:
    """The id in the cookie of this session's connection; the server makes sure that there is one.

    While the connection is interrupted, it is that of the visitor who opened the session.
    """
    cookie = st.context.cookies.get(VISITOR_COOKIE)
    if cookie and is_visitor(cookie):
        return cookie
    context = get_script_run_ctx()
    owner = session_owners().visitor_of(context.session_id) if context else ""
    return owner or st.session_state.setdefault("visitor", new_visitor())


def timezone() -> ZoneInfo:
    """The visitor's time zone, as the browser reports it; UTC if it is unknown."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")


def local(moment: datetime) -> datetime:
    """A moment in the time zone of the visitor."""
    return moment.astimezone(timezone())
