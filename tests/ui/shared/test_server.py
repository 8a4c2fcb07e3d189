"""What runs as long as the server does."""

import asyncio
import importlib.metadata
import os
import sys
import threading
import weakref
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from streamlit import config
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.runtime.caching.ttl_cache import TTLCache
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.secrets import Secrets
from streamlit.runtime.session_manager import SessionInfo
from streamlit.testing.v1 import AppTest

from vibecheck.ui.shared import server
from vibecheck.ui.shared.server import SWITCH_INTERVAL, drop_closed_sessions, keep_video_smooth

finish = threading.Event()


def page() -> None:
    from tests.ui.shared import test_server

    test_server.finish.wait(60)


async def interval_becomes(seconds: float) -> None:
    while sys.getswitchinterval() != pytest.approx(seconds):
        await asyncio.sleep(0.01)


def test_threads_take_shorter_turns_only_while_a_page_is_drawn():
    usual = sys.getswitchinterval()
    assert usual > SWITCH_INTERVAL

    async def watch() -> None:
        turns = asyncio.create_task(keep_video_smooth())
        drawing = asyncio.create_task(asyncio.to_thread(AppTest.from_function(page).run, timeout=60))
        try:
            async with asyncio.timeout(60):
                await interval_becomes(SWITCH_INTERVAL)
                finish.set()
                await drawing
                await interval_becomes(usual)
        finally:
            finish.set()
            turns.cancel()
            sys.setswitchinterval(usual)

    asyncio.run(watch())


def test_closed_session_is_dropped_once_it_cannot_be_resumed_though_no_other_closes(monkeypatch):
    storage, now = MemorySessionStorage(), 0.0
    storage._cache = TTLCache(128, 120, timer=lambda: now)
    manager = SimpleNamespace(_session_storage=storage)
    monkeypatch.setattr(server.Runtime, "instance", lambda: SimpleNamespace(_session_mgr=manager))
    info = SessionInfo(None, Mock(id="a"))
    session = weakref.ref(info.session)
    storage.save(info)
    del info
    now = 119.0
    drop_closed_sessions()
    assert session() is not None
    now = 121.0
    drop_closed_sessions()
    assert session() is None


def test_streamlit_does_not_search_the_installed_packages_for_components(monkeypatch):
    searches = []
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: searches.append("all") or [])
    BidiComponentManager().discover_and_register_components(start_file_watching=False)
    assert not searches


def test_secrets_replace_neither_the_environment_nor_dotenv(tmp_path, monkeypatch):
    names = ("VIBECHECK_DATABASE_URL", "VIBECHECK_DATA", "AWS_ENDPOINT_URL")
    file = tmp_path / "secrets.toml"
    file.write_text("\n".join(f'{name} = "of the secrets"' for name in names))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("VIBECHECK_DATA=of .env")
    for name in names:
        monkeypatch.setenv(name, "of the environment")
    for name in names[1:]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(config.get_config_options()["secrets.files"], "_get_val_func", lambda: [str(file)])
    secrets = Secrets()
    secrets._file_watchers_installed = True  # none
    assert secrets["VIBECHECK_DATA"] == "of the secrets"
    assert [os.environ.get(name) for name in names] == ["of the environment", None, "of the secrets"]
