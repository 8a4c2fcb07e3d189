"""Stays with one training run until its end, whatever becomes of the app that started it.

It is a process of its own, in a session of its own. It starts the training command in a group of
processes that gives way to everything else, writes down what the command says, tells the records how it
goes, and ends the command when somebody has asked for it, on this copy of the app or on another. Should
it be killed itself, the command finds nobody who listens at its next word, and ends.
"""

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from vibecheck.errors import RecordsError
from vibecheck.records.db.connect import open_database
from vibecheck.settings import Settings
from vibecheck.training import events, resources
from vibecheck.training.events import Progress
from vibecheck.training.run_folder import JobFolder
from vibecheck.training.runs_table import CANCELLED, FAILED, FINISHED, Ledger

# Seconds between looks, between words to the records while there is news, and while there is none.
LOOKS_EVERY = 0.5
TELLS_EVERY = 2.0
RENEWS_EVERY = 15.0
# After being asked to end, the command has so long to do so.
GRACE = 20.0
# What the command says is written down up to so many bytes.
MOST_WRITTEN = 20_000_000
# How long a database that is away is asked to note the end.
PATIENCE = 3600.0
CANCELLED_STATUS = 130
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no other

log = logging.getLogger(__name__)


@dataclass
class Listener:
    """What the command said so far; filled by a thread."""

    progress: Progress = field(default_factory=Progress)
    written: int = 0

    def listen(self, stream: BinaryIO, path: Path) -> None:
        """Writes down what is said until nothing more comes."""
        with path.open("ab") as file:
            for line in events.lines(stream):
                if self.written < MOST_WRITTEN:
                    self.written += file.write(line + b"\n")
                    file.flush()
                if event := events.parse(line):
                    self.progress = self.progress.heard(event)


class Runner:
    """One run: its folder, its command, its row in the records."""

    def __init__(self, folder: JobFolder, ledger: Ledger, grace: float = GRACE) -> None:
        self._folder = folder
        self._ledger = ledger
        self._grace = grace
        self._listener = Listener()
        self._stop = ""  # why the command is to end, once it is
        self._told: Progress | None = None
        self._told_at = self._looked_at = 0.0

    def stop(self, why: str) -> None:
        """Ends the command at the next look."""
        self._stop = self._stop or why

    def run(self, command: list[str], environment: dict[str, str]) -> str:
        """Runs the command to its end; returns the state in which the run ended."""
        with self._folder.log.open("ab") as errors:
            try:
                child = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                )
            except OSError as error:
                return self._end(FAILED, f"The training command cannot be started: {error.strerror}.")
        resources.give_way(child.pid)
        self._folder.write("child.json", {"pid": child.pid})
        listening = threading.Thread(
            target=self._listener.listen, args=(child.stdout, self._folder.events), daemon=True
        )
        listening.start()
        try:
            status = self._watch(child)
        finally:
            kill_group(child.pid, KILL)  # what it left behind
        listening.join(5)
        # Where it listens still, something that left the group holds the other end.
        if child.stdout and not listening.is_alive():
            child.stdout.close()
        return self._end(*self._outcome(status))

    def _watch(self, child: "subprocess.Popen[bytes]") -> int:
        """Waits for the command's end, and ends it where that is asked for; returns its exit status."""
        deadline = None
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(LOOKS_EVERY)
            self._tell()
            if self._stop and deadline is None:
                deadline = time.monotonic() + self._grace
                kill_group(child.pid, signal.SIGTERM)
            elif deadline is not None and time.monotonic() > deadline:
                kill_group(child.pid, KILL)

    def _tell(self) -> None:
        """Tells the records what is new, and hears from them whether to go on."""
        now, progress = time.monotonic(), self._listener.progress
        if now - self._looked_at < LOOKS_EVERY:
            return
        self._looked_at = now
        news = progress is not self._told and now - self._told_at >= TELLS_EVERY
        try:
            if news or now - self._told_at >= RENEWS_EVERY:
                self._told_at = now
                if not self._ledger.renew(self._folder.id, os.getpid(), progress, self._folder.log_end()):
                    self.stop("Another run was started while this one could not reach the records.")
                self._told = progress
            if self._ledger.cancel_asked(self._folder.id):
                self.stop("It was cancelled.")
        except RecordsError as error:
            log.warning("The records do not hear of this run: %s", error)

    def _outcome(self, status: int) -> tuple[str, str]:
        """In which state the run ended, and the sentence for it."""
        progress = self._listener.progress
        if status == 0 and progress.finished:
            return FINISHED, f"{progress.finished.version} is ready."
        if self._stop:
            return CANCELLED, self._stop
        if status == CANCELLED_STATUS:
            return CANCELLED, "It was cancelled."
        if progress.failed:
            return FAILED, progress.failed.error
        if status < 0:
            name = signal.Signals(-status).name if -status in list(signal.Signals) else f"signal {-status}"
            advice = " Too little memory is a common reason." if -status == 9 else ""
            return FAILED, f"The training command was ended by {name}.{advice} The log says how far it was."
        if status == 0:
            return FAILED, "The training command ended without saying what came out: the log may say why."
        return FAILED, f"The training command ended with exit status {status}: the log says why."

    def _end(self, state: str, sentence: str) -> str:
        """Notes the end, in the folder and in the records."""
        self._folder.write("end.json", {"state": state, "sentence": sentence})
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                note_end(self._ledger, self._folder, state, sentence, self._listener.progress)
                return state
            except RecordsError as error:
                log.warning("The records do not hear of the end of this run: %s", error)
                if time.monotonic() > give_up:
                    return state
                time.sleep(5)


def note_end(ledger: Ledger, folder: JobFolder, state: str, sentence: str, progress: Progress | None) -> None:
    """Tells the records how a run ended, with its log and its report. Raises RecordsError."""
    report = folder.report() if state == FINISHED else None
    if state != FINISHED:
        folder.clear()
    ledger.end(folder.id, state, sentence, progress, folder.log_end(), report)


def heard_in(folder: JobFolder) -> Progress:
    """What the command had said by the end of `events.jsonl`."""
    progress = Progress()
    with contextlib.suppress(OSError), folder.events.open("rb") as file:
        for line in events.lines(file):
            if event := events.parse(line):
                progress = progress.heard(event)
    return progress


def kill_group(pid: int, how: signal.Signals) -> None:
    """Sends a signal to the processes of a command that leads a session; those that are gone are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, how)
        else:
            os.kill(pid, signal.SIGTERM)


def main(path: str) -> int:
    """Runs what the folder's `job.json` asks for; returns the exit status."""
    folder = JobFolder(Path(path))
    job = folder.read("job.json")
    if job is None:
        raise SystemExit(f"{path} holds no job.json that can be read.")
    if hasattr(os, "nice"):
        os.nice(5)
    ledger = Ledger(open_database(Settings.load().records_url))
    runner = Runner(folder, ledger)
    signal.signal(signal.SIGTERM, lambda *_: runner.stop("The machine, or somebody on it, ended it."))
    ledger.renew(folder.id, os.getpid())
    state = runner.run(list(job["command"]), dict(os.environ))
    return {FINISHED: 0, CANCELLED: CANCELLED_STATUS}.get(state, 1)
