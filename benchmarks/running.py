"""The app in a process of its own, as whoever starts it has it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

ROOT = Path(__file__).parents[1]
OURS = ("VIBECHECK_", "SPOTIPY_", "COMET_", "HF_", "AWS_")
PATIENCE = 90.0  # s; for a start on a busy machine


class RunningApp:
    """`streamlit run Home.py` on a free port of this machine, with the settings of `environment` alone."""

    def __init__(self, log: Path, **environment: str) -> None:
        """Starts it and returns at once; `ready` waits for it. What it prints is added to `log`."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        command = [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.headless", "true"]
        command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=clean | environment, stdout=output, stderr=subprocess.STDOUT
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
            time.sleep(0.05)
        raise RuntimeError(f"The app did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as whoever started it would."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
