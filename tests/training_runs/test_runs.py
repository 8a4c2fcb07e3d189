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

from tests.training_runs.conftest import CHILD, command_of, ended
from tests.waiting import wait_for
from vibecheck.errors import TrainingError
from vibecheck.records.db.tables import jobs
from vibecheck.records.db.transactions import writing
from vibecheck.training_runs.run_folder import TRAINED, RunFolder
from vibecheck.training_runs.runs import FOLDERS_KEPT, RunRequest
from vibecheck.training_runs.runs_table import LOST, RunsTable


@pytest.fixture
def database_url(sqlite_url):
    """Processes are what is tried here, so one kind of database is enough; see test_copies.py."""
    return sqlite_url


# An app that starts a run, says so, and lives on.
APP = """
import sys
from pathlib import Path
from vibecheck.training_runs.runs import TrainingRuns, RunRequest
from vibecheck.settings import Settings
runs = TrainingRuns.open(Settings(data=Path(sys.argv[1]), database_url=sys.argv[2]), sys.argv[4:])
print(runs.start(RunRequest(sys.argv[3])).id, flush=True)
sys.stdin.read()
"""


def test_request_values_are_passed_as_option_values_never_as_options():
    request = RunRequest("--out=/etc", since=date(2026, 1, 2), epochs=3)
    assert request.options(RunFolder(Path("/jobs/1"))) == [
        "--json", "--base=--out=/etc", "--source=store", "--since=2026-01-02", "--epochs=3",
        "--out=/jobs/1/out",
    ]  # fmt: skip


def test_failed_run_reports_the_message_of_its_command(runs):
    run = ended(runs, runs.start(RunRequest("fails")))
    assert (run.state, run.sentence) == ("failed", "There are too few labels: 12 of the 50 that it takes.")


def test_crashed_run_keeps_the_end_of_its_log(runs):
    run = ended(runs, runs.start(RunRequest("crashes")))
    assert run.state == "failed" and "exit status 1" in run.sentence
    assert run.log.endswith("SystemError: the memory is gone")


def test_a_command_that_is_killed_is_reported_with_the_likely_reason(runs):
    run = runs.start(RunRequest("slow"))
    command_of(runs, run).kill()
    run = ended(runs, run)
    assert run.state == "failed" and "SIGKILL" in run.sentence and "memory" in run.sentence


def test_missing_command_is_reported(open_runs):
    runs = open_runs(command=["/nowhere/python"])
    run = ended(runs, runs.start(RunRequest("quick")))
    assert run.state == "failed" and "cannot be started" in run.sentence


def test_invalid_output_is_skipped_and_the_rest_is_read(runs):
    run = ended(runs, runs.start(RunRequest("junk")))
    assert run.state == "finished" and len(run.progress.epochs) == 4


def test_cancelled_run_ends_within_seconds_and_deletes_its_output(runs):
    run = runs.start(RunRequest("slow"))
    command = command_of(runs, run)
    wait_for(lambda: runs.get(run.id).progress.losses)
    runs.cancel(run.id)
    run = ended(runs, run)
    assert (run.state, run.sentence) == ("cancelled", "It was cancelled.")
    wait_for(lambda: not command.is_running())
    assert not runs.folder(run.id).out.exists()  # with the faces in it


def test_command_runs_at_the_lowest_priority(runs):
    command = command_of(runs, runs.start(RunRequest("slow")))
    wait_for(lambda: command.nice() == 19 and command.environ())  # empty until the program is loaded
    assert os.sched_getscheduler(command.pid) == os.SCHED_IDLE
    assert command.ionice().ioclass == psutil.IOPRIO_CLASS_IDLE
    assert int(command.environ()["OMP_NUM_THREADS"]) == max(1, len(os.sched_getaffinity(0)) - 1)


def test_run_survives_the_death_of_the_app_and_is_found_by_the_next(settings, open_runs):
    words = [str(settings.data), settings.records_url, "slow", *CHILD]
    app = subprocess.Popen([sys.executable, "-c", APP, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    run_id = app.stdout.readline().decode().strip()
    app.kill()
    app.communicate()
    runs = open_runs()
    run = runs.running()
    assert run.id == run_id
    losses = len(run.progress.losses)
    wait_for(lambda: len(runs.running().progress.losses) > losses)
    runs.cancel(run.id)
    assert ended(runs, run).state == "cancelled"


def test_run_whose_supervisor_was_killed_is_reported_and_cleaned_up(runs):
    run = runs.start(RunRequest("slow"))
    command = command_of(runs, run)
    wait_for(lambda: runs.get(run.id).progress.collected)
    os.kill(runs.get(run.id).pid, signal.SIGKILL)
    run = ended(runs, run)
    assert run.state == LOST and "Its process ended" in run.sentence
    assert run.progress.collected.rows == 120 and "playing slow" in run.log
    assert not runs.folder(run.id).out.exists()
    wait_for(lambda: not command.is_running())
    assert ended(runs, runs.start(RunRequest("quick"))).state == "finished"


def test_folders_of_forgotten_runs_are_deleted_and_other_folders_stay(runs, engine):
    table, before = RunsTable(engine), [f"{number:032x}" for number in range(FOLDERS_KEPT + 2)]
    for run_id in before:
        table.begin(run_id, {}, "here", "here")
        table.end(run_id, "failed" if run_id == before[0] else "finished", "")
        runs.folder(run_id).out.mkdir(parents=True)
        (runs.folder(run_id).out / TRAINED).write_text("{}")
    runs.folder("a" * 32).path.mkdir()  # of a run that is no longer remembered
    (runs.folder("a" * 32).path.parent / "notes").mkdir()
    run = ended(runs, runs.start(RunRequest("quick")))
    left = {path.name for path in runs.folder(run.id).path.parent.iterdir()}
    unregistered = before[0]  # its model is nowhere else
    assert left == {run.id, unregistered, *before[-FOLDERS_KEPT + 1 :], "notes"}


def test_folder_of_a_run_that_starts_after_the_clock_was_set_back_stays(runs, engine):
    table = RunsTable(engine)
    for number in range(FOLDERS_KEPT + 1):
        table.begin(f"{number:032x}", {}, "here", "here")
        table.end(f"{number:032x}", "finished", "")
    with writing(engine) as connection:
        connection.execute(update(jobs).values(started_at=datetime.now(UTC) + timedelta(hours=1)))
    run = ended(runs, runs.start(RunRequest("quick")))
    assert runs.folder(run.id).path.is_dir() and run.state == "finished"


def test_unwritable_jobs_folder_is_reported_and_blocks_no_later_run(settings, runs):
    (settings.data / "jobs").write_text("in the way")
    with pytest.raises(TrainingError, match="cannot be started"):
        runs.start(RunRequest("quick"))
    assert runs.running() is None and runs.history()[0].state == "failed"
