"""Starts the real app in its own processes, with Streamlit as users start it, and ends it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

ROOT = Path(__file__).parents[2]
# The browser for tests and benchmarks. The headless shell opens a page with 40% less CPU time than Chromium.
CHROMIUM = (
    os.environ.get("VIBECHECK_TEST_CHROMIUM")
    or shutil.which("chromium-headless-shell")
    or shutil.which("chromium")
    or "/usr/bin/chromium"
)
# Keeps WebRTC from connecting: Chromium's name of the flag, and that of the headless shell.
NO_UDP = tuple(f"--{name}webrtc-ip-handling-policy=disable_non_proxied_udp" for name in ("", "force-"))
# Settings of whoever measures would change what is measured.
OURS = ("VIBECHECK_", "SPOTIPY_", "COMET_", "HF_", "AWS_", "STREAMLIT_")
PATIENCE = 120.0  # s; for a start on a busy machine
MB = 1_000_000


@dataclass(frozen=True)
class Used:
    """What the app's processes hold now: core seconds so far, MB, threads, and sockets of WebRTC (UDP)."""

    cpu_s: float
    resident_mb: float
    threads: int
    sockets: int


def free_port() -> int:
    """A free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RunningApp:
    """`streamlit run` of a page on a free port of this machine, with the settings of `environment` alone.

    `data` is its data folder, where `environment` names one.
    """

    def __init__(
        self,
        log: Path,
        page: Path = ROOT / "Home.py",
        before: Sequence[str] = (),
        address: str = "127.0.0.1",
        flags: Sequence[str] = (),
        **environment: str,
    ) -> None:
        """Starts it and returns at once; `ready` waits for it. What it prints is added to `log`.

        `before` is put before the command, such as one that limits its memory.
        `address` is what it listens at, `flags` are more of Streamlit's.
        """
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self.data = Path(environment.get("VIBECHECK_DATA", ROOT / "data"))
        self._token = environment.get("VIBECHECK_ACCESS_TOKEN", "")
        command = [*before, sys.executable, "-m", "streamlit", "run", str(page), "--server.headless", "true"]
        command += ["--server.address", address, "--server.port", str(port), *flags]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=page.parent,
                env=clean | {"PYTHONPATH": str(ROOT)} | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self.process.pid

    def ready(self) -> str:
        """Waits until it answers; returns its address. Raises RuntimeError with its log where it does not."""
        give_up = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < give_up:
            try:
                if requests.get(f"{self.url}/_stcore/health", timeout=2).ok:
                    return self.url
            except requests.RequestException:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"The app did not start:\n{self.log.read_text(errors='replace')[-4000:]}")

    def link(self, page: str = "") -> str:
        """The address that opens a page with the access link, as the terminal shows it."""
        give_up = time.monotonic() + PATIENCE
        while not self._token and time.monotonic() < give_up:
            shown = re.findall(r"/\?access=(\S+)\n", self.log.read_text(errors="replace"))
            self._token = shown[0] if shown else ""
            time.sleep(0.02)
        return f"{self.url}/{page}?access={self._token}"

    def used(self) -> Used:
        """What the web process and its children use now."""
        process = psutil.Process(self.pid)
        family = [process, *process.children(recursive=True)]
        times = [each.cpu_times() for each in family]
        return Used(
            sum(each.user + each.system for each in times),
            sum(each.memory_info().rss for each in family) / MB,
            sum(each.num_threads() for each in family),
            sum(len(each.net_connections("udp")) for each in family),
        )

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it with SIGTERM, or kill it after 15 seconds."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def running_app(
    page: Path = ROOT / "Home.py", before: Sequence[str] = (), **settings: str
) -> Iterator[RunningApp]:
    """An app that answers, with an empty data folder, the embedded model, and settings; ended afterwards."""
    with tempfile.TemporaryDirectory() as name:
        plain = {"VIBECHECK_DATA": str(Path(name) / "data"), "VIBECHECK_MODEL": "embedded"}
        app = RunningApp(Path(name) / "log", page, before, **plain | settings)
        try:
            app.ready()
            yield app
        finally:
            app.stop()
