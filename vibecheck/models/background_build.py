"""A model that is being built while the app runs: in a process of its own, with low priority.

The process is `python -m vibecheck compile --json --behind MODEL`; it ends when the app does, however the
app ends, since its standard input is then closed.
"""

import contextlib
import json
import logging
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from vibecheck.processes import child
from vibecheck.settings import Settings

VMSTAT = Path("/proc/vmstat")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BuildState:
    """The progress of a build.

    `step` is "starting", "fetching" (counted in bytes), "compiling", "checking", "ready" or "failed".
    `version` is set when it is ready, `sentence` when it failed; `later` says whether a retry may help.
    """

    step: str
    done: int = 0
    total: int = 0
    version: str = ""
    sentence: str = ""
    later: bool = False

    @property
    def running(self) -> bool:
        return self.step not in ("ready", "failed")

    @property
    def share(self) -> float:
        """The share of the step that is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


_STATE = TypeAdapter(BuildState)


def state_of(line: bytes | str) -> BuildState | None:
    """The state in a line of the process's output; None for what libraries print among them."""
    try:
        return _STATE.validate_python(json.loads(line))
    except (ValueError, RecursionError):
        return None


class BackgroundBuild:
    """One running build. `state` may be read by any thread."""

    def __init__(self, settings: Settings, source: str) -> None:
        """Starts the process."""
        self.source = source
        self.state = BuildState("starting")
        self._oom_kills = oom_kills()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  read when the process has ended
        self._process = child.start(
            [sys.executable, "-m", "vibecheck", "compile", "--json", "--behind", "--", source],
            child.environment(settings),
            subprocess.PIPE,
            self._errors,
        )
        self._thread = threading.Thread(target=self._listen, name="model build", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> BuildState:
        """Wait until it has ended, or for `seconds`; returns the state."""
        self._thread.join(seconds)
        return self.state

    def stop(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._thread.join()

    def _listen(self) -> None:
        with self._process:
            for line in self._process.stdout or ():
                if state := state_of(line):
                    self.state = state
                else:
                    log.warning("Unexpected output of a build: %s", line.decode(errors="replace").strip())
        if self.state.running:
            self._errors.seek(0)
            written = self._errors.read().decode(errors="replace")
            log.warning("%s was not built:\n%s", self.source, written[-4000:])
            why = why_it_ended(self._process.returncode, written, oom_kills() > self._oom_kills)
            more = f"python -m vibecheck compile {self.source} says more."
            sentence = f"{self.source} could not be built {why} {more}"
            self.state = BuildState("failed", sentence=sentence)
        self._errors.close()


def why_it_ended(code: int, written: str, out_of_memory: bool) -> str:
    """The end of a sentence: how a process ended that reported no reason, and its last output.

    `code` is as `Popen.returncode`, `written` its standard error. The part before the colon can be shown
    to anybody; the last output may name files.
    """
    how = f"exit status {code}" if code >= 0 else child.signal_name(-code)
    if code == -child.KILL and out_of_memory:  # the kernel sends this signal
        how = "the system ran out of memory and ended it"
    words = written.strip().splitlines()
    return f"({how}): {words[-1].strip()[:200].rstrip('.')}." if words else f"({how}):"


def oom_kills() -> int:
    """How many processes the kernel has killed for lack of memory since boot; 0 if it does not say."""
    with contextlib.suppress(OSError, ValueError):
        for line in VMSTAT.read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
