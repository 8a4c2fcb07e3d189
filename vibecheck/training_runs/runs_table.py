"""The table of training runs, which all copies of the app share; at most one run is running.

A run holds a lease on its row. Without renewal for `LEASE` it counts as lost: the process or the machine
died, or cannot reach the database. If it reports again before another run was started, it continues.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select, delete, exists, select, update

from vibecheck.errors import TrainingError
from vibecheck.records.db.tables import jobs
from vibecheck.records.db.transactions import Queries, database_now, insert_if_new, reading, writing
from vibecheck.training_runs.events import RunProgress, read_progress

RUNNING, FINISHED, FAILED, CANCELLED, LOST = "running", "finished", "failed", "cancelled", "lost"
LEASE = timedelta(seconds=90)
# Runs that are kept in the table.
REMEMBERED = 50
NEWEST_FIRST = (jobs.c.started_at.desc(), jobs.c.id)


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A run in the records. `age` is the time since its last renewal, by the database's clock.

    `sentence` says how it ended, `log` are the last lines of its log, `report` is its report.
    """

    id: str
    state: str
    asked: dict[str, Any]
    host: str
    pid_space: str
    pid: int | None
    started_at: datetime
    ended_at: datetime | None
    cancelling: bool
    progress: RunProgress
    sentence: str
    log: str
    report: dict[str, Any] | None
    age: timedelta

    @property
    def running(self) -> bool:
        return self.state == RUNNING


class RunsTable(Queries):
    """All runs."""

    def begin(self, run_id: str, asked: dict[str, Any], host: str, pid_space: str) -> None:
        """Records a run as running. Raises TrainingError if one is running already."""
        with writing(self._engine) as connection:
            now = database_now(connection)
            row: dict[str, Any] = {"id": run_id, "asked": asked, "host": host, "pid_space": pid_space}
            row |= {"state": RUNNING, "started_at": now, "renewed_at": now}
            if not insert_if_new(connection, jobs, row):
                raise TrainingError("A training run is under way already: wait for its end, or cancel it.")
            newest = select(jobs.c.id).order_by(*NEWEST_FIRST).limit(REMEMBERED)
            connection.execute(delete(jobs).where(jobs.c.id.not_in(newest), jobs.c.state != RUNNING))

    def renew(
        self, run_id: str, pid: int | None = None, progress: RunProgress | None = None, log: str | None = None
    ) -> bool:
        """Renews the lease of a run, with news; returns whether it may continue.

        A run that counted as lost is running again, unless another one was started.
        """
        other = jobs.alias("other")
        free = ~exists().where(other.c.state == RUNNING, other.c.id != run_id)
        mine = jobs.c.id == run_id, jobs.c.state.in_((RUNNING, LOST)), free
        with writing(self._engine) as connection:
            now = database_now(connection)
            renewed = {"renewed_at": now, "state": RUNNING, "ended_at": None, "sentence": None}
            values = renewed | _news(progress, pid=pid, log=log)
            return connection.execute(update(jobs).where(*mine).values(values)).rowcount == 1

    def end(
        self,
        run_id: str,
        state: str,
        sentence: str,
        progress: RunProgress | None = None,
        log: str | None = None,
        report: dict[str, Any] | None = None,
    ) -> None:
        """Records the end of a run, unless it has ended already (lost ones may still end)."""
        open_ones = jobs.c.state.in_((RUNNING,) if state == LOST else (RUNNING, LOST))
        with writing(self._engine) as connection:
            ended = {"state": state, "sentence": sentence, "ended_at": database_now(connection)}
            values = ended | _news(progress, log=log, report=report)
            connection.execute(update(jobs).where(jobs.c.id == run_id, open_ones).values(values))

    def lost(self, run_id: str, sentence: str) -> None:
        """Records that a run is lost, unless its lease was renewed."""
        with writing(self._engine) as connection:
            now = database_now(connection)
            silent = jobs.c.state == RUNNING, jobs.c.renewed_at < now - LEASE
            values = {"state": LOST, "sentence": sentence, "ended_at": now}
            connection.execute(update(jobs).where(jobs.c.id == run_id, *silent).values(values))

    def cancel(self, run_id: str) -> None:
        """Requests the end of a run; on any copy, it ends within seconds."""
        with writing(self._engine) as connection:
            running = jobs.c.id == run_id, jobs.c.state == RUNNING
            now = database_now(connection)
            connection.execute(update(jobs).where(*running).values(cancel_asked_at=now))

    def cancel_asked(self, run_id: str) -> bool:
        """Whether its end was requested."""
        with reading(self._engine) as connection:
            query = select(jobs.c.cancel_asked_at).where(jobs.c.id == run_id)
            return connection.execute(query).scalar_one_or_none() is not None

    def running(self) -> TrainingRun | None:
        """The running run, by the records."""
        return next(iter(self._read(select(jobs).where(jobs.c.state == RUNNING))), None)

    def get(self, run_id: str) -> TrainingRun:
        """One run. Raises TrainingError if it is no longer in the records."""
        found = self._read(select(jobs).where(jobs.c.id == run_id))
        if not found:
            raise TrainingError("This training run is no longer in the records.")
        return found[0]

    def history(self, limit: int = 20) -> list[TrainingRun]:
        """The last runs, newest first."""
        return self._read(select(jobs).order_by(*NEWEST_FIRST).limit(limit))

    def _read(self, query: Select[Any]) -> list[TrainingRun]:
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
            now = database_now(connection)
        return [_run(row, now) for row in rows]


def _news(progress: RunProgress | None, **columns: Any) -> dict[str, Any]:
    """The columns that have news."""
    news = columns | {"progress": progress and progress.model_dump(mode="json")}
    return {name: value for name, value in news.items() if value is not None}


def _run(row: RowMapping, now: datetime) -> TrainingRun:
    read = dict(row)
    read["progress"] = read_progress(row["progress"])
    read["sentence"], read["log"] = row["sentence"] or "", row["log"] or ""
    cancelling = read.pop("cancel_asked_at") is not None
    age = now - read.pop("renewed_at")
    return TrainingRun(**read, cancelling=cancelling, age=age)
