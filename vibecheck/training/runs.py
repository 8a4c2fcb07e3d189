"""Starts, cancels and lists training runs: what the page asks, on any copy of the app."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self
from uuid import uuid4

from sqlalchemy import Engine

from vibecheck.errors import JobError
from vibecheck.models.background_build import environment
from vibecheck.records.db.connect import open_database
from vibecheck.settings import Settings
from vibecheck.training import resources
from vibecheck.training import run_folder as folders
from vibecheck.training.run_folder import JobFolder
from vibecheck.training.runs_table import CANCELLED, FAILED, FINISHED, LEASE, LOST, Job, Ledger
from vibecheck.training.supervisor import KILL, heard_in, kill_group, note_end

COMMAND = (sys.executable, "-m", "finetune")
# Runs whose folder is kept, with checkpoints, log and report.
FOLDERS_KEPT = 5
# A run whose process has no number yet is given so long to get one.
STARTS_WITHIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Request:
    """What a run is asked to do; None leaves it to the command."""

    base: str
    source: str = "store"
    since: date | None = None
    epochs: int | None = None
    reference: str | None = None

    def options(self, folder: JobFolder) -> list[str]:
        """As the command takes it. A value never passes for an option: it stands behind a =."""
        given = {
            "source": self.source,
            "base": self.base,
            "out": folder.out,
            "since": self.since and self.since.isoformat(),
            "epochs": self.epochs,
            "reference": self.reference,
        }
        return ["--json", *(f"--{name}={value}" for name, value in given.items() if value is not None)]

    def noted(self) -> dict[str, object]:
        """As the records remember it."""
        return {
            "base": self.base,
            "source": self.source,
            "since": self.since and self.since.isoformat(),
            "epochs": self.epochs,
            "reference": self.reference,
        }


class Jobs:
    """Training runs over all copies of the app that share the database."""

    def __init__(self, settings: Settings, engine: Engine, command: Sequence[str] | None = None) -> None:
        """`command` is the training command without its options; by default, the real one."""
        self._settings = settings
        self._command = command
        self._engine = engine
        self._ledger = Ledger(engine)
        self._root = folders.root_of(settings.data)

    @classmethod
    def open(cls, settings: Settings, command: Sequence[str] | None = None) -> Self:
        """The runs in the records that the settings name. Raises RecordsError."""
        return cls(settings, open_database(settings.records_url), command)

    def close(self) -> None:
        """Closes the connections to the database; runs go on."""
        self._engine.dispose()

    def start(self, request: Request) -> Job:
        """Starts a run in processes of its own. Raises JobError where one runs already, or none can be."""
        self.running()  # one that died gives its place back
        job_id = uuid4().hex
        self._ledger.begin(job_id, request.noted(), resources.host(), resources.pid_space())
        folder = self.folder(job_id)
        try:
            folder.path.mkdir(parents=True)
            command = [*(self._command or COMMAND), *request.options(folder)]
            folder.write("job.json", {"command": command, "asked": request.noted(), "host": resources.host()})
            pid = self._launch(folder)
        except OSError as error:
            sentence = f"The run cannot be started ({error.strerror}): check the disk and {self._root}."
            self._ledger.end(job_id, FAILED, sentence)
            raise JobError(sentence) from error
        self._ledger.renew(job_id, pid)
        kept = [each.id for each in self._ledger.history(FOLDERS_KEPT)]
        folders.clean(self._root, kept)
        return self._ledger.get(job_id)

    def running(self) -> Job | None:
        """The run that is under way, here or on another copy; None where there is none.

        One whose process is gone is noted as ended, as its folder says, or as lost.
        """
        job = self._ledger.running()
        if job is None or self._alive(job):
            return job
        folder = self.folder(job.id)
        if job.pid_space != resources.pid_space():
            told = f"Nothing was heard of it on {job.host} for {LEASE.seconds} seconds."
            self._ledger.lost(job.id, told)
        elif end := folder.read("end.json"):
            state = end.get("state")
            known = state if state in (FINISHED, FAILED, CANCELLED) else LOST
            note_end(self._ledger, folder, str(known), str(end.get("sentence", "")), heard_in(folder))
        else:
            self._end_orphans(folder)
            told = "Its process is gone: the machine was restarted, or it was killed (too little memory?)."
            note_end(self._ledger, folder, LOST, told, heard_in(folder))
        return self._ledger.running()

    def get(self, job_id: str) -> Job:
        """One run. Raises JobError where it is not remembered."""
        return self._ledger.get(job_id)

    def history(self, limit: int = 20) -> list[Job]:
        """The last runs, newest first."""
        return self._ledger.history(limit)

    def cancel(self, job_id: str) -> None:
        """Asks for the end of a run, wherever it is. It ends within seconds."""
        self._ledger.ask_cancel(job_id)

    def folder(self, job_id: str) -> JobFolder:
        """The folder of a run, which is there only on the machine that it ran on."""
        return JobFolder(self._root / job_id)

    def _launch(self, folder: JobFolder) -> int:
        threads = str(resources.threads())
        own = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        with folder.log.open("ab") as errors:
            child = subprocess.Popen(
                [sys.executable, "-m", "vibecheck.training", str(folder.path)],
                env=environment(self._settings) | own | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        # Its end is waited for, or a process that is gone would go on being listed.
        threading.Thread(target=child.wait, name="job-end", daemon=True).start()
        return child.pid

    def _alive(self, job: Job) -> bool:
        if job.pid_space != resources.pid_space():
            return job.age < LEASE
        if job.pid is None:
            return job.age < STARTS_WITHIN
        return resources.runs(job.pid, job.id)

    def _end_orphans(self, folder: JobFolder) -> None:
        """Ends the training command of a run whose runner was killed, where it still is."""
        pid = (folder.read("child.json") or {}).get("pid")
        if isinstance(pid, int) and resources.runs(pid, folder.id):
            kill_group(pid, KILL)


def log_of(jobs: Jobs, job: Job) -> str:
    """The end of a run's log: from its folder, where that is here, or as the records have it."""
    return jobs.folder(job.id).log_end() or job.log
