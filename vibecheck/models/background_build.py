"""A model that is being made ready behind the running app: in a process of its own, which gives way.

The process is `python -m vibecheck compile --json --behind MODEL`; it ends when the app does, however the
app ends, since its standard input is then closed.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibecheck.settings import Settings

ROOT = Path(__file__).parents[2]
# One core is left to the video, whose own threads go first in any case.
THREADS = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "TOKENIZERS_PARALLELISM": "false"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BuildState:
    """How far a preparation is.

    `step` is "starting", "fetching" (counted in bytes), "compiling", "checking", "ready" or "failed".
    `version` is set when it is ready. `sentence` says what went wrong, `later` whether trying again
    later may help.
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
        """How much of the step is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


class BackgroundBuild:
    """One model on its way. `state` may be read by any thread."""

    def __init__(self, settings: Settings, source: str) -> None:
        """Starts the process."""
        self.source = source
        self.state = BuildState("starting")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  read when the process has ended
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vibecheck", "compile", "--json", "--behind", "--", source],
            env=environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            errors="replace",  # a library's own words among ours are not to end the listening
        )
        self._thread = threading.Thread(target=self._listen, name="preparation", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def wait(self, seconds: float | None = None) -> BuildState:
        """Wait for the end, or for so long; returns the state then."""
        self._thread.join(seconds)
        return self.state

    def stop(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._thread.join()

    def _listen(self) -> None:
        with self._process:
            for line in self._process.stdout or ():
                if state := state_of(line):
                    self.state = state
                else:
                    log.warning("Not understood while a model was made ready: %s", line.strip())
        if self.state.running:
            self._errors.seek(0)
            log.warning(
                "%s was not made ready:\n%s",
                self.source,
                self._errors.read().decode(errors="replace")[-4000:],
            )
            how = f"signal {-code}" if (code := self._process.returncode) < 0 else f"exit status {code}"
            sentence = (
                f"{self.source} could not be made ready ({how}; too little memory is a common reason): "
                f"python -m vibecheck compile {self.source} says more."
            )
            self.state = BuildState("failed", sentence=sentence)
        self._errors.close()


def state_of(line: str) -> BuildState | None:
    """The state that a line of the process tells; None for what tells none, whatever it is."""
    try:
        return _state(json.loads(line))
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None


def _state(line: dict[str, Any]) -> BuildState:
    match line["step"]:
        case "ready":
            return BuildState("ready", version=str(line["version"]))
        case "failed":
            return BuildState("failed", sentence=str(line["sentence"]), later=bool(line["later"]))
        case step:
            return BuildState(str(step), int(line["done"]), int(line["total"]))


def environment(settings: Settings) -> dict[str, str]:
    """For a process of VibeCheck's: the settings as they are here, wherever they came from."""
    ours = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "VIBECHECK_DATA": str(settings.data.absolute()),
        "VIBECHECK_DATABASE_URL": settings.records_url,
        "VIBECHECK_THREADS": str(settings.threads),
    }
    if settings.hf_token:
        ours["HF_TOKEN"] = settings.hf_token.get_secret_value()
    return dict(os.environ) | THREADS | ours
