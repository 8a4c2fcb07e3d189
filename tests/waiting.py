"""Waiting for what happens in another thread or process."""

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

import requests

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str = "it", seconds: float = 60.0) -> T:
    """Waits until it holds; returns what it then gave. Fails when that takes longer."""
    give_up = time.monotonic() + seconds
    while not (given := condition()):
        assert time.monotonic() < give_up, f"waited in vain for {what}"
        time.sleep(0.01)
    return given


def wait_for_server(url: str, process: subprocess.Popen, seconds: float = 60.0) -> None:
    """Waits until a server that was just started answers anything at all."""

    def answers() -> bool:
        assert process.poll() is None, f"{process.args} ended"
        try:
            requests.get(url, timeout=2)
        except requests.RequestException:
            return False
        return True

    wait_for(answers, f"an answer of {url}", seconds)
