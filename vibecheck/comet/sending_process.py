"""Starts the sending process, restarts it if it dies, and ends it with the app."""

import logging
import subprocess
import sys
import threading
import time

from vibecheck.processes import child

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "vibecheck", "send", "--with-parent")
# Seconds before a process that dies at once is started again; doubled each time.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
CHECK_EVERY = 2.0  # s


class SendingProcess:
    """The process that sends to Comet. `ensure` starts it; from then on it is restarted when it ends."""

    def __init__(self, command: tuple[str, ...] = COMMAND) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = FIRST_PAUSE
        self._started = 0.0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watch: threading.Thread | None = None

    def ensure(self) -> None:
        """Starts the process unless it is running, and a thread that keeps it running. Returns at once."""
        with self._lock:
            if self._closed.is_set():
                return
            if self._watch is None:
                self._watch = threading.Thread(target=self._keep_running, name="comet-watch", daemon=True)
                self._watch.start()
            if self._process is not None:
                ran_for = time.monotonic() - self._started
                if self._process.poll() is None or ran_for < self._pause:
                    return
                child.end(self._process)
                self._pause = FIRST_PAUSE if ran_for > LONGEST_PAUSE else min(2 * self._pause, LONGEST_PAUSE)
            self._started = time.monotonic()
            try:
                self._process = child.start(self._command)
            except OSError as error:  # probably out of memory; retried later
                log.warning("The process that sends to Comet cannot be started: %s", error)

    def _keep_running(self) -> None:
        while not self._closed.wait(CHECK_EVERY):
            self.ensure()

    def close(self) -> None:
        """Ends the process for good."""
        self._closed.set()
        with self._lock:
            if self._process is not None:
                child.end(self._process)
