"""The real app in a process of its own: started, asked whether it is ready, watched, ended."""

import os
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

ROOT = Path(__file__).parents[1]
# Settings of whoever measures would change what is measured.
OURS = ("VIBECHECK_", "SPOTIPY_", "COMET_", "HF_", "STREAMLIT_")
PATIENCE = 120.0  # s
MB = 1_000_000


@dataclass(frozen=True)
class Used:
    """What the app's processes hold now: core seconds so far, MB, threads, and sockets of WebRTC (UDP)."""

    cpu_s: float
    resident_mb: float
    threads: int
    sockets: int


@dataclass(frozen=True)
class RunningApp:
    """A running app: where it is, its process, its data folder, and what it wrote."""

    url: str
    process: psutil.Process
    data: Path
    log: Path

    def used(self) -> Used:
        """What the web process and its children use now."""
        family = [self.process, *self.process.children(recursive=True)]
        times = [each.cpu_times() for each in family]
        return Used(
            sum(each.user + each.system for each in times),
            sum(each.memory_info().rss for each in family) / MB,
            sum(each.num_threads() for each in family),
            sum(len(each.net_connections("udp")) for each in family),
        )


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_app(
    page: Path = ROOT / "Home.py", before: Sequence[str] = (), **settings: str
) -> Iterator[RunningApp]:
    """`streamlit run` of a page, with an empty data folder, the embedded model, and settings.

    `before` is put before the command, such as one that limits its memory. Raises RuntimeError if the app
    does not answer.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        plain = {
            "VIBECHECK_DATA": str(folder / "data"),
            "VIBECHECK_MODEL": "embedded",
            "PYTHONPATH": str(ROOT),
        }
        command = [*before, sys.executable, "-m", "streamlit", "run", str(page), "--server.headless", "true"]
        command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=clean | plain | settings, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process, log)
            yield RunningApp(url, psutil.Process(process.pid), folder / "data", log)
        finally:
            _end(process)


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    give_up = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < give_up:
        try:
            if requests.get(f"{url}/_stcore/health", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"The app did not start: {log.read_text(errors='replace')[-2000:]}")


def _end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
