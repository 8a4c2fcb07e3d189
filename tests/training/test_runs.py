"""Runs as the page starts them: they outlive the app, and there is one at a time."""

import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update

from tests.training.conftest import CHILD, command_of, ended
from tests.waiting import wait_for
from vibecheck.errors import JobError
from vibecheck.records.db.tables import jobs
from vibecheck.records.db.transactions import writing
from vibecheck.training.run_folder import TRAINED, RunFolder
from vibecheck.training.runs import FOLDERS_KEPT, RunRequest
from vibecheck.training.runs_table import LOST, RunsTable


@pytest.fixture
def database_url(sqlite_url):
    """Processes are what is tried here, so one kind of database is enough; see test_copies.py."""
    return sqlite_url


# An app that starts a run, says so, and lives on.
APP = """
import sys
from pathlib import Path
from vibecheck.training.runs import TrainingRuns, RunRequest
from vibecheck.settings import Settings
desk = TrainingRuns.open(Settings(data=Path(sys.argv[1]), database_url=sys.argv[2]), sys.argv[4:])
print(desk.start(RunRequest(sys.argv[3])).id, flush=True)
sys.stdin.read()
"""


def test_request_values_are_passed_as_option_values_never_as_options():
    request = RunRequest("--out=/etc", since=date(2026, 1, 2), epochs=3)
    assert request.options(RunFolder(Path("/jobs/1"))) == [
        "--json", "--base=--out=/etc", "--source=store", "--since=2026-01-02", "--epochs=3",
        "--out=/jobs/1/out",
    ]  # fmt: skip


def test_failed_run_reports_the_message_of_its_command(desk):
    job = ended(desk, desk.start(RunRequest("fails")))
    assert (job.state, job.sentence) == ("failed", "There are too few labels: 12 of the 50 that it takes.")


def test_crashed_run_keeps_the_end_of_its_log(desk):
    job = ended(desk, desk.start(RunRequest("crashes")))
    assert job.state == "failed" and "exit status 1" in job.sentence
    assert job.log.endswith("SystemError: the memory is gone")


def test_a_command_that_is_killed_is_reported_with_the_likely_reason(desk):
    job = desk.start(RunRequest("slow"))
    command_of(desk, job).kill()
    job = ended(desk, job)
    assert job.state == "failed" and "SIGKILL" in job.sentence and "memory" in job.sentence


def test_missing_command_is_reported(open_desk):
    desk = open_desk(command=["/nowhere/python"])
    job = ended(desk, desk.start(RunRequest("quick")))
    assert job.state == "failed" and "cannot be started" in job.sentence


def test_invalid_output_is_skipped_and_the_rest_is_read(desk):
    job = ended(desk, desk.start(RunRequest("junk")))
    assert job.state == "finished" and len(job.progress.epochs) == 4


def test_cancelled_run_ends_within_seconds_and_deletes_its_output(desk):
    job = desk.start(RunRequest("slow"))
    command = command_of(desk, job)
    wait_for(lambda: desk.get(job.id).progress.losses)
    desk.cancel(job.id)
    job = ended(desk, job)
    assert (job.state, job.sentence) == ("cancelled", "It was cancelled.")
    wait_for(lambda: not command.is_running())
    assert not desk.folder(job.id).out.exists()  # with the faces in it


def test_command_runs_at_the_lowest_priority(desk):
    command = command_of(desk, desk.start(RunRequest("slow")))
    wait_for(lambda: command.nice() == 19 and command.environ())  # empty until the program is loaded
    assert os.sched_getscheduler(command.pid) == os.SCHED_IDLE
    assert command.ionice().ioclass == psutil.IOPRIO_CLASS_IDLE
    assert int(command.environ()["OMP_NUM_THREADS"]) == max(1, len(os.sched_getaffinity(0)) - 1)


def test_run_survives_the_death_of_the_app_and_is_found_by_the_next(settings, open_desk):
    words = [str(settings.data), settings.records_url, "slow", *CHILD]
    app = subprocess.Popen([sys.executable, "-c", APP, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    job_id = app.stdout.readline().decode().strip()
    app.kill()
    app.communicate()
    desk = open_desk()
    job = desk.running()
    assert job.id == job_id
    losses = len(job.progress.losses)
    wait_for(lambda: len(desk.running().progress.losses) > losses)
    desk.cancel(job.id)
    assert ended(desk, job).state == "cancelled"


def test_run_whose_supervisor_was_killed_is_reported_and_cleaned_up(desk):
    job = desk.start(RunRequest("slow"))
    command = command_of(desk, job)
    wait_for(lambda: desk.get(job.id).progress.collected)
    os.kill(desk.get(job.id).pid, signal.SIGKILL)
    job = ended(desk, job)
    assert job.state == LOST and "Its process ended" in job.sentence
    assert job.progress.collected.rows == 120 and "playing slow" in job.log
    assert not desk.folder(job.id).out.exists()
    wait_for(lambda: not command.is_running())
    assert ended(desk, desk.start(RunRequest("quick"))).state == "finished"


def test_folders_of_forgotten_runs_are_deleted_and_other_folders_stay(desk, engine):
    table, before = RunsTable(engine), [f"{number:032x}" for number in range(FOLDERS_KEPT + 2)]
    for job_id in before:
        table.begin(job_id, {}, "here", "here")
        table.end(job_id, "failed" if job_id == before[0] else "finished", "")
        desk.folder(job_id).out.mkdir(parents=True)
        (desk.folder(job_id).out / TRAINED).write_text("{}")
    desk.folder("a" * 32).path.mkdir()  # of a run that is no longer remembered
    (desk.folder("a" * 32).path.parent / "notes").mkdir()
    job = ended(desk, desk.start(RunRequest("quick")))
    left = {path.name for path in desk.folder(job.id).path.parent.iterdir()}
    unregistered = before[0]  # its model is nowhere else
    assert left == {job.id, unregistered, *before[-FOLDERS_KEPT + 1 :], "notes"}


def test_folder_of_a_run_that_starts_after_the_clock_was_set_back_stays(desk, engine):
    table = RunsTable(engine)
    for number in range(FOLDERS_KEPT + 1):
        table.begin(f"{number:032x}", {}, "here", "here")
        table.end(f"{number:032x}", "finished", "")
    with writing(engine) as connection:
        connection.execute(update(jobs).values(started_at=datetime.now(UTC) + timedelta(hours=1)))
    job = ended(desk, desk.start(RunRequest("quick")))
    assert desk.folder(job.id).path.is_dir() and job.state == "finished"


def test_unwritable_jobs_folder_is_reported_and_blocks_no_later_run(settings, desk):
    (settings.data / "jobs").write_text("in the way")
    with pytest.raises(JobError, match="cannot be started"):
        desk.start(RunRequest("quick"))
    assert desk.running() is None and desk.history()[0].state == "failed"
