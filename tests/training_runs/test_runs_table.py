import pytest

from vibecheck.errors import TrainingError
from vibecheck.records.db.tables import jobs
from vibecheck.records.db.transactions import writing
from vibecheck.training_runs.events import RunProgress, TrainingStep
from vibecheck.training_runs.runs_table import CANCELLED, FINISHED, LEASE, LOST, REMEMBERED, RunsTable

A, B = "a" * 32, "b" * 32


@pytest.fixture
def ledger(engine) -> RunsTable:
    return RunsTable(engine)


def silence(engine, run_id: str) -> None:
    """Let nothing have been heard of a run for longer than its lease."""
    with writing(engine) as connection:
        before = ledger_time(connection, run_id) - 2 * LEASE
        connection.execute(jobs.update().where(jobs.c.id == run_id).values(renewed_at=before))


def ledger_time(connection, run_id: str):
    return connection.execute(jobs.select().where(jobs.c.id == run_id)).one().renewed_at


def test_second_run_starts_only_after_the_first_ended(ledger):
    ledger.begin(A, {"base": "x"}, "here", "1")
    with pytest.raises(TrainingError, match="under way already"):
        ledger.begin(B, {}, "there", "2")
    ledger.end(A, FINISHED, "done")
    ledger.begin(B, {}, "there", "2")
    assert ledger.running().id == B and [run.id for run in ledger.history(5)] == [B, A]


def test_run_is_read_back_as_it_was_stored(ledger):
    ledger.begin(A, {"base": "x"}, "here", "1")
    progress = RunProgress().heard(TrainingStep(stage="head", done=0.5, loss=1.25))
    assert ledger.renew(A, 42, progress, "the log")
    run = ledger.get(A)
    assert (run.pid, run.progress, run.log, run.asked, run.host) == (
        42,
        progress,
        "the log",
        {"base": "x"},
        "here",
    )


def test_lost_run_continues_when_it_reports_again(engine, ledger):
    ledger.begin(A, {}, "here", "1")
    ledger.lost(A, "nothing was heard")
    assert ledger.get(A).running  # within the lease
    silence(engine, A)
    ledger.lost(A, "nothing was heard")
    assert ledger.get(A).state == LOST
    assert ledger.renew(A) and ledger.get(A).running and ledger.get(A).sentence == ""


def test_lost_run_does_not_continue_beside_another(engine, ledger):
    ledger.begin(A, {}, "here", "1")
    silence(engine, A)
    ledger.lost(A, "nothing was heard")
    ledger.begin(B, {}, "there", "2")
    assert not ledger.renew(A)
    assert ledger.running().id == B


def test_final_state_of_a_run_never_changes(ledger):
    ledger.begin(A, {}, "here", "1")
    ledger.end(A, CANCELLED, "It was cancelled.")
    ledger.end(A, LOST, "Its process is gone.")
    ledger.end(A, FINISHED, "done")
    assert ledger.get(A).state == CANCELLED and not ledger.renew(A)


def test_lost_run_can_still_report_its_end(engine, ledger):
    ledger.begin(A, {}, "here", "1")
    silence(engine, A)
    ledger.lost(A, "nothing was heard")
    ledger.end(A, FINISHED, "done", report={"proved": True})
    assert ledger.get(A).state == FINISHED and ledger.get(A).report == {"proved": True}


def test_only_a_running_run_can_be_cancelled(ledger):
    ledger.begin(A, {}, "here", "1")
    assert not ledger.cancel_asked(A)
    ledger.cancel(A)
    assert ledger.cancel_asked(A) and ledger.get(A).cancelling
    ledger.end(A, CANCELLED, "It was cancelled.")
    ledger.begin(B, {}, "here", "1")
    ledger.end(B, FINISHED, "done")
    ledger.cancel(B)
    assert not ledger.cancel_asked(B)


def test_old_runs_are_forgotten(ledger):
    for number in range(REMEMBERED + 3):
        ledger.begin(f"{number:032x}", {}, "here", "1")
        ledger.end(f"{number:032x}", FINISHED, "done")
    assert len(ledger.history(1000)) == REMEMBERED
    with pytest.raises(TrainingError, match="no longer in the records"):
        ledger.get(f"{0:032x}")


def test_progress_written_by_another_version_is_readable(engine, ledger):
    ledger.begin(A, {}, "here", "1")
    with writing(engine) as connection:
        connection.execute(jobs.update().values(progress={"losses": "none"}))
    assert ledger.get(A).progress == RunProgress()
