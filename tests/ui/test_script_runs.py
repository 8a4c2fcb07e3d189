"""How Streamlit runs pages with the app's configuration."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks.harness.running import ROOT, RunningApp, running_app
from benchmarks.harness.session import open_session
from tests.waiting import wait_for


@contextmanager
def running(folder: Path, page: str) -> Iterator[RunningApp]:
    """An app whose only page is `page`, with the app's Streamlit configuration and without secrets."""
    (folder / "Home.py").write_text(page)
    (folder / ".streamlit").mkdir()
    shutil.copy(ROOT / ".streamlit" / "config.toml", folder / ".streamlit")
    with running_app(folder / "Home.py") as app:
        yield app


# Notes when it begins and ends; what takes long in between gives Streamlit no chance to stop it.
PAGE = """
import time
from pathlib import Path

import streamlit as st

if __name__ == "__main__":
    notes = Path(__file__).with_name("notes")
    with notes.open("a") as file:
        file.write("begins ")
    time.sleep(0.5)
    with notes.open("a") as file:
        file.write("ends ")
else:
    from vibecheck.ui.shared import server

    app = st.App(__file__)
"""


def test_page_of_one_visitor_runs_once_at_a_time(tmp_path):
    def noted() -> list[str]:
        return (tmp_path / "notes").read_text().split()

    async def presses(url: str) -> None:
        async with open_session(url) as session:
            await session.run()
            await asyncio.to_thread(wait_for, lambda: noted().count("begins") == 2, "the second run")
            await session.run()
            await asyncio.to_thread(wait_for, lambda: noted().count("begins") == 3, "the third run")
            await session.stop()
            await session.run()
            await asyncio.to_thread(wait_for, lambda: noted().count("ends") == 4, "the last run")

    with running(tmp_path, PAGE) as app:
        asyncio.run(presses(app.url))
    assert noted() == ["begins", "ends"] * 4


def press_as_another_run_is_requested(by: str) -> None:
    import streamlit as st

    from tests.ui.conftest import end_this_run

    def press() -> None:
        end_this_run(by)
        st.session_state.presses = st.session_state.get("presses", 0) + 1

    st.session_state.setdefault("runs", []).append(1)
    st.button("Press", on_click=press)


@pytest.mark.parametrize("ended_by", ["request_rerun", "request_stop"])
def test_a_press_counts_although_its_run_of_the_page_is_ended(ended_by):
    page = AppTest.from_function(press_as_another_run_is_requested, default_timeout=60, args=[ended_by])
    page.run().button[0].click().run()
    assert not page.exception and page.session_state["presses"] == 1


# Live video, which the sixth run does not draw.
VIDEO = """
import streamlit as st

from vibecheck.ui.home import live

st.session_state.number = number = st.session_state.get("number", 0) + 1
words = st.empty()
playing = number != 6 and live.video()
words.markdown(f"Run {number}: {'plays' if playing else 'nothing plays'}")
"""
# While the end of the third run is on its way out, the fourth runs.
CLOSELY = """
import time

from streamlit.runtime import get_instance

runtime = get_instance()
send = runtime._send_message


def send_slowly(visitor, message):
    if message.WhichOneof("type") == "script_finished":
        runtime._send_message = send
        visitor.session.request_rerun(None)
        time.sleep(0.5)
    send(visitor, message)


if number == 3:
    runtime._send_message = send_slowly
"""


def test_video_goes_on_when_runs_follow_each_other_closely_and_stops_when_one_does_not_draw_it(tmp_path):
    async def visit(url: str) -> list[str]:
        said = []
        async with open_session(url) as session:
            await session.say({"playing": True})
            await session.until(lambda: session.runs == 2)
            for ended in (4, 5, 6, 7):
                await session.run()
                await session.until(lambda ended=ended: session.runs == ended)
                said += session.texts.values()
        return said

    with running(tmp_path, VIDEO + CLOSELY) as app:
        said = asyncio.run(visit(app.url))
    assert said == ["Run 4: plays", "Run 5: plays", "Run 6: nothing plays", "Run 7: nothing plays"]
