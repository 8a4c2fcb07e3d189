"""Every page, opened by every role: closed to those without access, before it reads anything."""

import ast
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.conftest import sign_in
from vibecheck.access.roles import PAGES, Role
from vibecheck.records.pictures import Pictures
from vibecheck.records.store import Store

ROOT = Path(__file__).parents[2]
FILES = {"Home": ROOT / "Home.py"} | {
    file.stem.split("_", 1)[1]: file for file in sorted((ROOT / "pages").glob("*.py"))
}
LISTS = {f"VIBECHECK_{role.name}S": f"{role.title}@example.org" for role in Role if role}


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """What was opened of the records and pictures while a page ran."""
    opened = []
    for kind in (Store, Pictures):
        monkeypatch.setattr(kind, "__getattribute__", watching(kind, opened))
    open_store = Store.open

    def open_and_tell(*arguments) -> Store:
        opened.append("Store.open")
        return open_store(*arguments)

    monkeypatch.setattr(Store, "open", open_and_tell)
    return opened


def watching(kind: type, opened: list[str]):
    def get(self, name: str):
        opened.append(f"{kind.__name__}.{name}")
        return object.__getattribute__(self, name)

    return get


@pytest.fixture
def run_as(set_up, page_of, monkeypatch):
    """Runs a page as somebody with this role."""
    # AppTest has no session that streamlit-webrtc could ask about.
    monkeypatch.setattr("streamlit_webrtc.component.get_this_session_info", lambda: None)

    def run(file: Path, role: Role) -> AppTest:
        set_up(**LISTS)
        session = page_of(file)
        sign_in(session, f"{role.title}@example.org", email_verified=True)
        session.run()
        assert not session.exception
        return session

    return run


def shut(session: AppTest) -> bool:
    return any(title.value.startswith("For ") for title in session.title)


def test_every_page_declares_who_may_open_it():
    assert set(FILES) <= set(PAGES), "vibecheck/access/roles.py lacks a page"


@pytest.mark.parametrize("role", Role, ids=lambda role: role.title)
@pytest.mark.parametrize("page", FILES)
def test_page_opens_for_permitted_roles_and_reads_nothing_for_others(run_as, reads, page, role):
    session = run_as(FILES[page], role)
    assert shut(session) == (role < PAGES[page])
    if shut(session):
        assert reads == []
        assert not [each.value for each in session.main.markdown if "prediction" in each.value]


@pytest.mark.parametrize("page", FILES)
def test_every_page_asks_its_gate_first(page):
    assert needed(FILES[page].read_text(encoding="utf-8")) == PAGES[page]


def needed(source: str) -> Role:
    """The role that a page requires before it does anything else; a visitor's if it asks too late."""
    calls = [
        ast.unparse(node)
        for node in ast.parse(source).body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        and ast.get_docstring(ast.Module([node], [])) is None
    ]
    if len(calls) < 2 or not calls[0].startswith("app.start_page("):
        return Role.VISITOR
    wanted = (role for role in Role if calls[1] == f"gate.require(Role.{role.name})")
    return next(wanted, Role.VISITOR)


SHUT = (
    '"""A page."""\nfrom vibecheck.access.roles import Role\n'
    "from vibecheck.ui.access import gate\nfrom vibecheck.ui.shared import app\n\n"
)
READ = "found = app.store().get('0' * 32)\n"
START = "app.start_page('Numbers')\n"
ASK = "gate.require(Role.ANALYST)\n"


@pytest.mark.parametrize(
    ("body", "asks_first"),
    [
        (START + ASK + READ, True),
        (START + READ + ASK, False),
        (READ + START + ASK, False),
        (START + READ, False),
    ],
    ids=["asks first", "reads first", "reads before all", "never asks"],
)
def test_page_that_reads_before_asking_its_gate_is_detected(run_as, reads, tmp_path, body, asks_first):
    page = tmp_path / "numbers.py"
    page.write_text(SHUT + body)
    assert (needed(page.read_text()) == Role.ANALYST) == asks_first
    try:
        run_as(page, Role.LABELLER)
    except AssertionError:  # the page could not find what it read
        assert not asks_first
    assert (reads == []) == asks_first


@pytest.mark.parametrize("url", ["http://[", "http://[::1", "", "x" * 10_000, "http://127.0.0.1:99999/"])
def test_home_accepts_any_page_address_from_the_browser(set_up, page_of, monkeypatch, url):
    monkeypatch.setattr("streamlit_webrtc.component.get_this_session_info", lambda: None)
    set_up()
    session = page_of(FILES["Home"])
    session.context = {"url": url, "timezone": "../../etc/passwd"}
    session.run()
    assert not session.exception
