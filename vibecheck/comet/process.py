"""Starts the sending process, restarts it if it dies, and ends it with the app."""

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

log = logging.getLogger(__name__)

PROJECT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "vibecheck", "send", "--with-parent")
# Seconds before a process that dies at once is started again; doubled each time.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0


class SendingProcess:
    """The process that sends to Comet. `ensure`, which every page calls, starts it."""

    def __init__(self, command: tuple[str, ...] = COMMAND) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = FIRST_PAUSE
        self._started = 0.0
        self._lock = threading.Lock()

    def ensure(self) -> None:
        """Starts the process unless it is running. Returns at once."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                return
            ran_for = time.monotonic() - self._started
            if self._process is not None and ran_for < self._pause:
                return
            if self._process is not None:
                self._close()
                self._pause = FIRST_PAUSE if ran_for > LONGEST_PAUSE else min(2 * self._pause, LONGEST_PAUSE)
            path = os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH"))))
            # It ends when this pipe closes: with this process, however that ends.
            self._started = time.monotonic()
            try:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
                )
            except OSError as error:  # most likely out of memory; the next page retries
                log.warning("The process that sends to Comet cannot be started: %s", error)

    @property
    def pid(self) -> int | None:
        """The process id, or None before it was started."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._process is not None:
            if self._process.stdin:
                self._process.stdin.close()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
