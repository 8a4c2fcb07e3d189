"""The access link as a browser brings it: a token in the address, afterwards a pass in a cookie.

Streamlit sets no cookies of its own accord, so a script on the page does. What script can set, script
can read: therefore the cookie holds a pass and never the token.
"""

import hashlib
import time
from dataclasses import dataclass, replace

import streamlit as st
import typer

from vibecheck.access.link import AccessLink, Tries
from vibecheck.ui.shared.configuration import settings

PARAMETER = "access"

# Takes the token out of the address bar and out of this entry of the browser's history. Streamlit's
# own way (del st.query_params[…]) would leave an entry with the token behind.
TAKE_OUT = f"""
const here = new URL(window.location);
if (here.searchParams.has("{PARAMETER}")) {{
  here.searchParams.delete("{PARAMETER}");
  window.history.replaceState(window.history.state, "", here);
}}
"""
# Without Max-Age it is gone when the browser is closed.
SET_COOKIE = """
const secure = window.location.protocol === "https:" ? "; Secure" : "";
document.cookie = "%s=%s; Path=/; SameSite=Strict" + secure;
"""
DROP_COOKIE = 'document.cookie = "%s=; Path=/; SameSite=Strict; Max-Age=0";'

NO_TRIES = Tries()


@dataclass(frozen=True, slots=True)
class Visit:
    """What one session has shown: its pass, the digest of the last token, and how its tries went."""

    shown: str | None
    offered: bytes = b""
    tries: Tries = NO_TRIES
    refused: bool = False
    script: str = ""


def say() -> None:
    """Print the link in the terminal, unless this process has done so."""
    _link()


def has_pass() -> bool:
    """Whether this session came by the access link, now or earlier in this browser."""
    visit, now = _visit(), time.time()
    token = st.query_params.get(PARAMETER)
    if token is not None:
        visit = _tried(visit, token, now)
        st.session_state.access_visit = visit
    return _link().honours(visit.shown, now)


def script() -> str:
    """The script that the page has to run: to keep or forget a pass, and to take any token away."""
    take_out = TAKE_OUT if PARAMETER in st.query_params else ""
    return f"<script>{{{_visit().script or take_out}}}</script>"


def problem() -> str:
    """Why the link that was opened last did not let this session in, or nothing."""
    visit = _visit()
    wait = visit.tries.not_before - time.time()
    if wait > 0:
        return f"Too many wrong links. Wait {wait + 1:.0f} s, then open the right one again."
    return "This link opens nothing: it may be from before the last start." if visit.refused else ""


def give_up() -> None:
    """End what the link has opened in this browser."""
    st.session_state.access_visit = replace(_visit(), shown=None, script=DROP_COOKIE % _cookie())


def _visit() -> Visit:
    if "access_visit" not in st.session_state:
        st.session_state.access_visit = Visit(st.context.cookies.get(_cookie()))
    return st.session_state.access_visit


def _tried(visit: Visit, token: str, now: float) -> Visit:
    """The visit after a token in its address, which is tried once however often the page runs."""
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
    if digest == visit.offered:
        return visit
    given, tries = _link().try_token(token, visit.tries, now)
    if given:
        keep = TAKE_OUT + SET_COOKIE % (_cookie(), given)
        return Visit(given, digest, tries, refused=False, script=keep)
    looked_at = tries.wrong > visit.tries.wrong
    return Visit(visit.shown, digest if looked_at else b"", tries, refused=True)


def _cookie() -> str:
    """Cookies do not tell ports apart: each app on a machine has a name of its own."""
    return f"vibecheck_access_{st.get_option('server.port')}"


@st.cache_resource(show_spinner=False)
def _link() -> AccessLink:
    """The link of this process, said once in its terminal."""
    token = settings().access_token
    link = AccessLink(token.get_secret_value() if token else None)
    start = f"{address()}/Dashboard?{PARAMETER}="
    if token:
        typer.echo(f"\n  All pages open with {start} followed by VIBECHECK_ACCESS_TOKEN.\n", err=True)
    else:
        typer.echo(
            f"\n  All pages open with this link, until the next start:\n  {start}{link.token}\n", err=True
        )
    return link


def address() -> str:
    """Where this app can be reached, as far as Streamlit knows."""
    listens = st.get_option("server.address")
    # This is what Streamlit takes where none is set.
    named = st.get_option("browser.serverAddress")
    host = listens if named == "localhost" and listens not in (None, "", "0.0.0.0", "::") else named
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"{scheme}://{host}:{st.get_option('browser.serverPort')}" + (f"/{base}" if base else "")
