"""Waiting for what happens in another thread or process."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import requests
from sqlalchemy import Connection, Engine, event, text

from vibecheck.records.db.transactions import WRITING

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str = "it", seconds: float = 120.0) -> T:
    """Waits until it holds; returns what it then gave. Fails when that takes longer."""
    began = time.monotonic()
    while not (given := condition()):
        waited = time.monotonic() - began
        assert waited < seconds, f"waited in vain for {what}"
        time.sleep(min(0.01 + waited / 20, 0.1))  # what takes long is looked at less often
    return given


@contextmanager
def running(run: Callable[[threading.Event], object], stop: threading.Event | None = None) -> Iterator[None]:
    """Runs a function in a thread until the block ends. It is given the event that then asks it to end."""
    stop = stop or threading.Event()
    thread = threading.Thread(target=run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


@contextmanager
def a_writer_that_waits(engine: Engine) -> Iterator[Callable[[], None]]:
    """Gives a function that returns once another thread's `writing(engine)` waits for an open transaction."""
    begins, here = threading.Event(), threading.get_ident()

    def note(connection: Connection) -> None:
        if threading.get_ident() != here and connection.get_execution_options().get(WRITING):
            begins.set()

    def waits() -> bool:
        with engine.connect() as connection:
            return bool(connection.scalar(_WAITS))

    def wait() -> None:
        assert begins.wait(60)
        if engine.dialect.name == "postgresql":  # SQLite waits where it begins
            wait_for(waits, "a writer that waits")

    event.listen(engine, "begin", note, insert=True)  # before SQLite's own, which waits
    try:
        yield wait
    finally:
        event.remove(engine, "begin", note)


_WAITS = text("""
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
""")


def wait_for_server(url: str, process: subprocess.Popen, seconds: float = 120.0) -> None:
    """Waits until a server that was just started answers anything at all."""

    def answers() -> bool:
        assert process.poll() is None, f"{process.args} ended"
        try:
            requests.get(url, timeout=2)
        except requests.RequestException:
            return False
        return True

    wait_for(answers, f"an answer of {url}", seconds)
