"""Pages as scripts, with real records, run without a browser."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from vibecheck.access import Role
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.ui import gate

ROOT = Path(__file__).parents[2]
COOKIE = "0123456789abcdef" * 2
ME = hashlib.sha256(COOKIE.encode()).hexdigest()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The records that the pages open, empty."""
    monkeypatch.setenv("VIBECHECK_DATA", str(tmp_path))
    monkeypatch.setenv("VIBECHECK_RETENTION_DAYS", "3650")  # the examples are some months old
    st.cache_resource.clear()
    opened = Store.open(Settings(data=tmp_path))
    yield opened
    opened.close()
    st.cache_resource.clear()


@pytest.fixture
def open_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Opens a page as somebody of a role, whose browser's visitor is ME."""

    def open_one(name: str, role: Role = Role.VISITOR, **query: str) -> AppTest:
        monkeypatch.setattr(gate, "role", lambda: role)
        page = AppTest.from_file(str(ROOT / name), default_timeout=60)
        page.session_state["visitor"], page.session_state["new_visitor"] = COOKIE, False
        for key, value in query.items():
            page.query_params[key] = value
        return page.run()

    return open_one
