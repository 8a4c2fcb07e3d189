"""The access link of this process: where it leads, who holds a pass for it, and its announcement."""

import sys
import time

import streamlit as st

from vibecheck.access import roles
from vibecheck.access.browsers import SessionOwners, Visitors
from vibecheck.access.passes import Passes, WrongTries
from vibecheck.access.roles import Provider
from vibecheck.errors import SettingsError
from vibecheck.settings.files import read_secrets
from vibecheck.ui.shared.configuration import base_path, settings
from vibecheck.ui.shared.process_state import ProcessValue

PARAMETER = "access"


@ProcessValue
def passes() -> Passes:
    """The link's token, and the passes given for it. Raises SettingsError."""
    token = settings().access_token
    return Passes(token.get_secret_value() if token else None)


wrong_tries = ProcessValue(WrongTries)
visitors = ProcessValue(Visitors)


@ProcessValue
def session_owners() -> SessionOwners:
    """Which browser opened each session."""
    return SessionOwners(visitors())


def providers() -> tuple[Provider, ...]:
    """The identity providers that are configured. Raises SettingsError."""
    if st.secrets.load_if_toml_exists():
        return roles.providers(st.secrets.get("auth"))
    read_secrets()  # Streamlit does not distinguish a file that it cannot read from none
    return ()


def opens_pages() -> bool:
    """Whether there is a link: not with sign-in, and not while a setting is unusable."""
    try:
        return not providers() and passes() is not None
    except SettingsError:
        return False


def valid(shown: str | None) -> bool:
    """Whether a cookie's value is a pass that opens all pages now."""
    return bool(shown) and opens_pages() and passes().valid(shown, time.time())


def cookie_name() -> str:
    """The pass's cookie. Browsers send cookies to every port of a host, so each port has its own name."""
    return f"vibecheck_access_{st.get_option('server.port')}"


def announce() -> None:
    """Print the link in the terminal, or why there is none."""
    try:
        if providers():
            return
        if settings().access_token:
            text = f"All pages open with {address()}/?{PARAMETER}= followed by VIBECHECK_ACCESS_TOKEN."
        else:
            text = f"All pages open with this link, until the next start:\n  {link()}"
    except SettingsError as error:  # every page says so too
        text = str(error)
    sys.stderr.write(f"\n  {text}\n\n")


def link() -> str:
    """The address to open in a browser, with the token if there is a link."""
    return f"{address()}/?{PARAMETER}={passes().token}" if opens_pages() else address()


def address() -> str:
    """Where this app can be reached, as far as Streamlit knows."""
    listens = st.get_option("server.address")
    named = st.get_option("browser.serverAddress")  # "localhost" if none is set
    host = listens if named == "localhost" and listens not in (None, "", "0.0.0.0", "::") else named
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    return f"{scheme}://{host}:{st.get_option('browser.serverPort')}{base_path()}"
