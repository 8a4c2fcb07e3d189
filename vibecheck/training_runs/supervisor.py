"""Supervises one training run, independently of the app that started it.

It runs in its own session. It starts the training command in a process group of the lowest priority,
stores its events, reports to the records, and ends the command when that is requested on any copy of the app.
If it is killed, the command ends at its next output, with a broken pipe.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from vibecheck.errors import RecordsError
from vibecheck.processes import child
from vibecheck.records.db.connect import open_database
from vibecheck.settings import Settings
from vibecheck.training_runs import events, resources
from vibecheck.training_runs.events import RunProgress
from vibecheck.training_runs.run_folder import RunFolder, write_json
from vibecheck.training_runs.runs_table import CANCELLED, FAILED, FINISHED, RunsTable

# Seconds between checks, between reports with news, and between renewals without news.
CHECK_EVERY = 0.5
REPORT_EVERY = 2.0
RENEW_EVERY = 15.0
# Seconds between SIGTERM and SIGKILL.
GRACE = 20.0
# The largest events file, in bytes.
MOST_WRITTEN = 20_000_000
# Seconds for which reporting the end of a run is retried if the database cannot be reached.
PATIENCE = 3600.0
CANCELLED_STATUS = 130

log = logging.getLogger(__name__)


class Supervisor:
    """One run: its folder, its command, its row in the records."""

    def __init__(self, folder: RunFolder, table: RunsTable, grace: float = GRACE) -> None:
        self._folder = folder
        self._table = table
        self._grace = grace
        self._progress = RunProgress()
        self._stop = ""  # why the command is being ended
        self._told: RunProgress | None = None
        self._told_at = 0.0

    def stop(self, why: str) -> None:
        """Ends the command at the next check."""
        self._stop = self._stop or why

    def run(self, command: list[str], environment: dict[str, str]) -> str:
        """Runs the command to its end; returns the state in which the run ended."""
        try:
            self._folder.events.touch()
            with self._folder.log.open("ab") as errors:
                process = child.start(command, environment, subprocess.PIPE, errors, detached=True)
        except OSError as error:
            return self._end(FAILED, f"The training command cannot be started: {error.strerror}.")
        resources.lower_priority(process.pid)
        self._note("child.json", {"pid": process.pid})
        listening = threading.Thread(target=self._listen, args=[process.stdout], daemon=True)
        listening.start()
        try:
            status = self._watch(process)
        finally:
            child.signal_group(process.pid, child.KILL)  # also its children
        listening.join(5)
        # If the reader is still waiting, a process outside the group holds the pipe open.
        if process.stdout and not listening.is_alive():
            process.stdout.close()
        return self._end(*self._outcome(status))

    def _listen(self, stream: BinaryIO) -> None:
        """Follows the command's events, and stores them, until the stream ends."""
        # If nobody read them, because they cannot be stored, the command would wait forever.
        with self._folder.events.open("ab", buffering=0) as file:
            for line in events.lines(stream):
                self._progress = self._progress.heard(events.parse(line))
                with contextlib.suppress(OSError):  # the disk is full
                    if file.tell() < MOST_WRITTEN:
                        file.write(line + b"\n")

    def _note(self, name: str, content: dict[str, object]) -> None:
        """Writes a file in the run's folder; the run continues if that fails, for example on a full disk."""
        try:
            write_json(self._folder.path / name, content)
        except OSError as error:
            log.warning("%s of this run cannot be written: %s", name, error)

    def _watch(self, process: "subprocess.Popen[bytes]") -> int:
        """Waits for the command, ends it on request, and returns its exit status."""
        deadline = None
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(CHECK_EVERY)
            self._tell()
            if self._stop and deadline is None:
                deadline = time.monotonic() + self._grace
                child.signal_group(process.pid, signal.SIGTERM)
            elif deadline is not None and time.monotonic() > deadline:
                child.signal_group(process.pid, child.KILL)

    def _tell(self) -> None:
        """Reports news to the records, and reads whether to continue."""
        now, progress = time.monotonic(), self._progress
        news = progress is not self._told and now - self._told_at >= REPORT_EVERY
        try:
            if news or now - self._told_at >= RENEW_EVERY:
                self._told_at = now
                if not self._table.renew(self._folder.id, os.getpid(), progress, self._folder.log_end()):
                    self.stop("Another run was started while this one could not reach the records.")
                self._told = progress
            if self._table.cancel_asked(self._folder.id):
                self.stop("It was cancelled.")
        except RecordsError as error:
            log.warning("This run cannot be reported to the records: %s", error)

    def _outcome(self, status: int) -> tuple[str, str]:
        """The final state of the run, with a sentence."""
        progress = self._progress
        if status == 0 and progress.finished:
            return FINISHED, f"{progress.finished.version} is ready."
        if self._stop:
            return CANCELLED, self._stop
        if status == CANCELLED_STATUS:
            return CANCELLED, "It was cancelled."
        if progress.failed:
            return FAILED, progress.failed.error
        if status < 0:
            advice = " Too little memory is a common reason." if -status == 9 else ""
            name = child.signal_name(-status)
            return FAILED, f"The training command was ended by {name}.{advice} See the log."
        if status == 0:
            return FAILED, "The training command ended without a result: see the log."
        return FAILED, f"The training command ended with exit status {status}: see the log."

    def _end(self, state: str, sentence: str) -> str:
        """Records the end in the folder and in the records."""
        self._note("end.json", {"state": state, "sentence": sentence})
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                note_end(self._table, self._folder, state, sentence, self._progress)
                return state
            except RecordsError as error:
                log.warning("The end of this run cannot be reported to the records: %s", error)
                if time.monotonic() > give_up:
                    return state
                time.sleep(5)


def note_end(table: RunsTable, folder: RunFolder, state: str, sentence: str, progress: RunProgress) -> None:
    """Records the end of a run with its log and its report. Raises RecordsError."""
    if state != FINISHED:
        folder.clear()
        register = f"python -m finetune --register {folder.out}"
        if folder.trained and register not in sentence:
            done, does = ("registered", "compares") if progress.exported else ("trained", "registers")
            sentence += f" Its model is {done}: {register} {does} it."
    table.end(folder.id, state, sentence, progress, folder.log_end(), folder.report())


def progress_in(folder: RunFolder) -> RunProgress:
    """The progress of a run, from its `events.jsonl`."""
    progress = RunProgress()
    with contextlib.suppress(OSError), folder.events.open("rb") as file:
        for line in events.lines(file):
            progress = progress.heard(events.parse(line))
    return progress


def main(path: str, *command: str) -> int:
    """Runs the training command of the run with the folder `path`; returns the exit status."""
    folder = RunFolder(Path(path))
    if hasattr(os, "nice"):
        os.nice(5)
    table = RunsTable(open_database(Settings.load().records_url))
    runner = Supervisor(folder, table)
    signal.signal(signal.SIGTERM, lambda *_: runner.stop("It was ended by a signal, perhaps at a restart."))
    table.renew(folder.id, os.getpid())
    state = runner.run(list(command), dict(os.environ))
    return {FINISHED: 0, CANCELLED: CANCELLED_STATUS}.get(state, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
