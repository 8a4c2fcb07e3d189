"""Starts, cancels and lists training runs, on any copy of the app."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Self
from uuid import uuid4

import psutil
from sqlalchemy import Engine

from vibecheck.errors import TrainingError
from vibecheck.processes import child
from vibecheck.records.db.connect import open_database
from vibecheck.settings import Settings
from vibecheck.training_runs import resources
from vibecheck.training_runs import run_folder as folders
from vibecheck.training_runs.run_folder import RunFolder, read_json
from vibecheck.training_runs.runs_table import (
    FAILED,
    FINISHED,
    LEASE,
    LOST,
    REMEMBERED,
    RunsTable,
    TrainingRun,
)
from vibecheck.training_runs.supervisor import note_end, progress_in

COMMAND = (sys.executable, "-m", "finetune")
# Runs whose folders are kept at least.
FOLDERS_KEPT = 5
# A run without a process id after this long is dead.
STARTS_WITHIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The options of a run; None is the command's default."""

    base: str
    source: str = "store"
    since: date | None = None
    epochs: int | None = None
    reference: str | None = None

    def options(self, folder: RunFolder) -> list[str]:
        """Arguments of the command. Values follow a =, so that none can be mistaken for an option."""
        given = self.noted() | {"out": folder.out}
        return ["--json", *(f"--{name}={value}" for name, value in given.items() if value is not None)]

    def noted(self) -> dict[str, object]:
        """The options as the records store them."""
        return asdict(self) | {"since": self.since and self.since.isoformat()}


class TrainingRuns(RunsTable):
    """Training runs of all copies of the app that share the database, and their processes here."""

    def __init__(self, settings: Settings, engine: Engine, command: Sequence[str] | None = None) -> None:
        """`command` is the training command without its options; by default, the real one."""
        super().__init__(engine)
        self._settings = settings
        self._command = command
        self._root = folders.root_of(settings.data)
        folders.remove_pictures(settings.data)

    @classmethod
    def open(cls, settings: Settings, command: Sequence[str] | None = None) -> Self:
        """The runs in the settings' records. Raises RecordsError."""
        return cls(settings, open_database(settings.records_url), command)

    def start(self, request: RunRequest) -> TrainingRun:
        """Starts a run in separate processes. Raises TrainingError if another one is running, or it fails."""
        self.running()  # records the end of one that died
        run_id = uuid4().hex
        asked = request.noted() | {"load": round(psutil.getloadavg()[0], 2)}  # before it begins
        self.begin(run_id, asked, resources.host(), resources.pid_space())
        folder = self.folder(run_id)
        try:
            folder.path.mkdir(parents=True)
            pid = self._launch(folder, [*(self._command or COMMAND), *request.options(folder)])
        except OSError as error:
            sentence = f"The run cannot be started ({error.strerror}): check the disk and {self._root}."
            self.end(run_id, FAILED, sentence)
            raise TrainingError(sentence) from error
        self.renew(run_id, pid)
        runs = self.history(REMEMBERED)
        # A trained model that is not registered exists only in the folder of its run.
        unregistered = (each for each in runs if each.state != FINISHED and self.folder(each.id).trained)
        # Not this one, although it is not the newest if the clock was set back.
        folders.clean(self._root, [run_id, *(each.id for each in (*runs[:FOLDERS_KEPT], *unregistered))])
        return self.get(run_id)

    def running(self) -> TrainingRun | None:
        """The run that is under way on any copy, or None.

        A run whose process is gone is recorded as ended, according to its folder, or as lost.
        """
        run = super().running()
        if run is None or self._alive(run):
            return run
        folder = self.folder(run.id)
        if run.pid_space != resources.pid_space():
            told = f"There was no sign of life from {run.host} for {LEASE.seconds} seconds."
            self.lost(run.id, told)
        else:
            command = read_json(folder.path / "child.json")
            if command and resources.is_alive(command["pid"], folder.id):  # its supervisor is gone
                child.signal_group(command["pid"], child.KILL)
            told = "Its process ended: the machine was restarted, or it was killed (too little memory?)."
            end = read_json(folder.path / "end.json") or {"state": LOST, "sentence": told}
            note_end(self, folder, end["state"], end["sentence"], progress_in(folder))
        return super().running()

    def folder(self, run_id: str) -> RunFolder:
        """The folder of a run; it exists on the machine that ran it."""
        return RunFolder(self._root / run_id)

    def log(self, run: TrainingRun) -> str:
        """The end of a run's log, from its folder or from the records."""
        return self.folder(run.id).log_end() or run.log

    def _launch(self, folder: RunFolder, command: Sequence[str]) -> int:
        with folder.log.open("ab") as errors:
            supervisor = child.start(
                [sys.executable, "-m", "vibecheck.training_runs.supervisor", str(folder.path), *command],
                child.environment(self._settings, resources.threads()) | {"PYTHONUNBUFFERED": "1"},
                subprocess.DEVNULL,
                errors,
                detached=True,
            )
        child.reap(supervisor)
        return supervisor.pid

    def _alive(self, run: TrainingRun) -> bool:
        if run.pid_space != resources.pid_space():
            return run.age < LEASE
        if run.pid is None:
            return run.age < STARTS_WITHIN
        return resources.is_alive(run.pid, run.id)
