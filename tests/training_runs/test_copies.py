"""Runs over several copies of the app that share a database of either kind."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import pytest

from tests.databases import quick_on_sqlite
from tests.training_runs.conftest import ended
from tests.waiting import wait_for
from vibecheck.errors import TrainingError
from vibecheck.records.db.tables import jobs as table
from vibecheck.records.db.transactions import writing
from vibecheck.training_runs.runs import RunRequest
from vibecheck.training_runs.runs_table import LEASE


@quick_on_sqlite
def test_run_completes_with_its_report(runs):
    run = ended(runs, runs.start(RunRequest("quick", since=date(2026, 1, 2), epochs=4)))
    assert (run.state, run.sentence) == ("finished", "tuned-1 is ready.")
    assert run.progress.finished.version == "tuned-1" and run.progress.judged
    assert [epoch.accuracy for epoch in run.progress.epochs] == [0.55, 0.6, 0.65, 0.7]
    assert run.progress.collected.left_out == {"can't tell": 3}
    assert run.report["proved"] and runs.folder(run.id).report_html() == b"<p>the report</p>"
    assert run.asked["since"] == "2026-01-02" and "playing quick" in runs.log(run)
    assert [each.id for each in runs.history()] == [run.id]


@quick_on_sqlite
def test_another_copy_of_the_app_sees_and_cancels_the_run(open_runs, tmp_path):
    here, elsewhere = open_runs(), open_runs(tmp_path / "another disk")
    run = here.start(RunRequest("slow"))
    wait_for(lambda: elsewhere.running().progress.collected)
    with pytest.raises(TrainingError, match="under way already"):
        elsewhere.start(RunRequest("quick"))
    elsewhere.cancel(run.id)
    assert ended(here, run).state == "cancelled"
    assert "playing slow" in elsewhere.log(elsewhere.get(run.id))


def test_only_one_of_many_simultaneous_starts_succeeds(open_runs):
    copies = [open_runs() for _ in range(4)]
    together = Barrier(len(copies))

    def start(runs):
        together.wait()
        try:
            return runs.start(RunRequest("slow"))
        except TrainingError:
            return None

    with ThreadPoolExecutor(len(copies)) as threads:
        started = [run for run in threads.map(start, copies) if run]
    assert len(started) == 1
    assert copies[0].running().id == started[0].id


@quick_on_sqlite
def test_run_on_another_machine_is_lost_after_its_lease_ends(runs, monkeypatch):
    run = runs.start(RunRequest("slow"))
    runs.cancel(run.id)
    ended(runs, run)
    with writing(runs._engine) as connection:
        elsewhere = {"pid_space": "another", "host": "away", "state": "running", "ended_at": None}
        connection.execute(table.update().values(elsewhere))
    assert runs.running().host == "away"
    with writing(runs._engine) as connection:
        connection.execute(table.update().values(renewed_at=run.started_at - 2 * LEASE))
    assert runs.running() is None
    assert "no sign of life from away" in runs.get(run.id).sentence
