"""How Streamlit runs pages, with the configuration that the app has."""

import asyncio
import shutil

from benchmarks.running import ROOT, running_app
from benchmarks.session import open_session
from tests.waiting import wait_for

# Notes when it begins and ends; what takes long in between gives Streamlit no chance to stop it.
PAGE = """
import time
from pathlib import Path

notes = Path(__file__).with_name("notes")
with notes.open("a") as file:
    file.write("begins ")
time.sleep(0.5)
with notes.open("a") as file:
    file.write("ends ")
"""


def test_one_visitor_s_page_runs_once_at_a_time(tmp_path):
    (tmp_path / "Home.py").write_text(PAGE)
    shutil.copytree(ROOT / ".streamlit", tmp_path / ".streamlit")

    def noted() -> list[str]:
        return (tmp_path / "notes").read_text().split()

    async def presses(url: str) -> None:
        async with open_session(url) as session:
            await session.run()
            await asyncio.sleep(0.2)
            await session.run()
            await asyncio.to_thread(wait_for, lambda: noted().count("ends") == 3, "the last run")

    with running_app(tmp_path / "Home.py") as app:
        asyncio.run(presses(app.url))
    assert noted() == ["begins", "ends"] * 3
