"""Pages run by Streamlit's AppTest, with a browser's request in front and settings of their own."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.testing.v1 import AppTest

from tests.databases import make_tables, open_store
from vibecheck.access.roles import Role
from vibecheck.records.store import Store
from vibecheck.settings import Settings, environment_name
from vibecheck.ui.access import access_link, gate
from vibecheck.ui.shared import app, configuration

ROOT = Path(__file__).parents[2]
COOKIE = "0123456789abcdef" * 2
ME = hashlib.sha256(COOKIE.encode()).hexdigest()

AUTH = {
    "redirect_uri": "http://127.0.0.1:8501/oauth2callback",
    "cookie_secret": "c" * 32,
    "client_id": "id",
    "client_secret": "secret",
    "server_metadata_url": "https://id.example/.well-known/openid-configuration",
}


@pytest.fixture(autouse=True)
def main_module_is_restored() -> Iterator[None]:
    """AppTest leaves a temporary script as `__main__`, which a spawned process of a later test would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@dataclass
class Request:
    """What the browser sends when it opens a session; a test may change it."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)
    remote_ip: str | None = "127.0.0.1"


@pytest.fixture
def request_of_browser(monkeypatch) -> Request:
    """The request of every session of this test. AppTest knows neither headers nor cookies."""
    request = Request()
    monkeypatch.setattr("streamlit.runtime.context._get_client_context", lambda: request)
    return request


@pytest.fixture
def set_up(tmp_path, monkeypatch, request_of_browser) -> Iterator[Callable[..., None]]:
    """Gives the app its settings, and Streamlit its options (as `server_address`), for this test."""
    names = {environment_name(each) for each in Settings.model_fields}
    for name in [*os.environ]:
        if name.upper() in names or name.upper().startswith("VIBECHECK_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("vibecheck.settings.files.SECRETS_FILES", ())
    monkeypatch.chdir(tmp_path)  # there is no .env
    make_tables(tmp_path / "data" / "vibecheck.db")
    options = {}

    def set_all(server_address: str | None = None, **environment: str) -> None:
        for name, value in ({"VIBECHECK_DATA": str(tmp_path / "data")} | environment).items():
            monkeypatch.setenv(name, value)
        options.setdefault("server.address", config.get_option("server.address"))
        config.set_option("server.address", server_address)
        forget()

    yield set_all
    for name, value in options.items():
        config.set_option(name, value)


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """What a test opened, with its settings, is not there for the next."""
    yield
    forget()


def forget() -> None:
    """Forget what the app opened once for all sessions, but for the model, which takes long to open."""
    if app.shadow_models.is_made:
        app.shadow_models().stop()
    if app.registry.is_made:
        app.registry().close()
    for opened in (
        configuration.settings,
        access_link.passes,
        access_link.wrong_tries,
        access_link.visitors,
        access_link.session_owners,
        app._opening,
        app.shadow_models,
        app.store,
        app.registry,
        app.runs,
        app.synthetic,
        app.music,
    ):
        opened.clear()


@pytest.fixture
def page_of(set_up) -> Callable[..., AppTest]:
    """Opens sessions: `page_of(page, token)` is a page of VibeCheck or a file, before its first run."""

    def open_session(page: Path | Callable[[], None], **parameters: str) -> AppTest:
        make = AppTest.from_function if callable(page) else AppTest.from_file
        session = make(page, default_timeout=60)
        session.secrets = {"nothing": "that matters"}  # instead of the secrets of this machine
        session.user = {}
        session.query_params = dict(parameters)
        return session

    return open_session


def sign_in(session: AppTest, email: str, **claims: object) -> None:
    """Make it a session of somebody who came back from the identity provider."""
    session.secrets = {"auth": AUTH}
    session.user = {"is_logged_in": True, "provider": "default", "email": email} | claims


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The records that the pages open, empty."""
    monkeypatch.setenv("VIBECHECK_DATA", str(tmp_path))
    monkeypatch.setenv("VIBECHECK_RETENTION_DAYS", "3650")  # the examples are some months old
    forget()
    st.cache_data.clear()
    opened = open_store(Settings(data=tmp_path))
    yield opened
    opened.close()
    st.cache_data.clear()


@pytest.fixture
def open_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Opens a page as somebody of a role, whose browser's visitor is ME."""

    def open_one(name: str, role: Role = Role.VISITOR, **query: str) -> AppTest:
        monkeypatch.setattr(gate, "role", lambda: role)
        page = AppTest.from_file(str(ROOT / name), default_timeout=60)
        page.session_state["visitor"] = COOKIE
        for key, value in query.items():
            page.query_params[key] = value
        return page.run()

    return open_one


def end_this_run(by: str = "request_rerun") -> None:
    """End the run of the page where it next accesses the session: by another press, or a lost connection."""
    run = get_script_run_ctx()
    if by == "request_rerun":
        states = run.session_state.get_widget_states()
        kept = [each for each in states if each.WhichOneof("value") != "trigger_value"]
        run.script_requests.request_rerun(RerunData(widget_states=WidgetStates(widgets=kept)))
    else:
        run.script_requests.request_stop()


def ended_once(function: Callable[..., object], by: str = "request_rerun") -> Callable[..., object]:
    """A function whose first call ends the run of the page (see `end_this_run`)."""
    calls = []

    def called(*args: object, **options: object) -> object:
        calls.append(args)
        if len(calls) == 1:
            end_this_run(by)
        return function(*args, **options)

    return called
