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
def test_run_completes_with_its_report(desk):
    run = ended(desk, desk.start(RunRequest("quick", since=date(2026, 1, 2), epochs=4)))
    assert (run.state, run.sentence) == ("finished", "tuned-1 is ready.")
    assert run.progress.finished.version == "tuned-1" and run.progress.judged
    assert [epoch.accuracy for epoch in run.progress.epochs] == [0.55, 0.6, 0.65, 0.7]
    assert run.progress.collected.left_out == {"can't tell": 3}
    assert run.report["proved"] and desk.folder(run.id).report_html() == b"<p>the report</p>"
    assert run.asked["since"] == "2026-01-02" and "playing quick" in desk.log(run)
    assert [each.id for each in desk.history()] == [run.id]


@quick_on_sqlite
def test_another_copy_of_the_app_sees_and_cancels_the_run(open_desk, tmp_path):
    here, elsewhere = open_desk(), open_desk(tmp_path / "another disk")
    run = here.start(RunRequest("slow"))
    wait_for(lambda: elsewhere.running().progress.collected)
    with pytest.raises(TrainingError, match="under way already"):
        elsewhere.start(RunRequest("quick"))
    elsewhere.cancel(run.id)
    assert ended(here, run).state == "cancelled"
    assert "playing slow" in elsewhere.log(elsewhere.get(run.id))


def test_only_one_of_many_simultaneous_starts_succeeds(open_desk):
    desks = [open_desk() for _ in range(4)]
    together = Barrier(len(desks))

    def start(desk):
        together.wait()
        try:
            return desk.start(RunRequest("slow"))
        except TrainingError:
            return None

    with ThreadPoolExecutor(len(desks)) as threads:
        started = [run for run in threads.map(start, desks) if run]
    assert len(started) == 1
    assert desks[0].running().id == started[0].id


@quick_on_sqlite
def test_run_on_another_machine_is_lost_after_its_lease_ends(desk, monkeypatch):
    run = desk.start(RunRequest("slow"))
    desk.cancel(run.id)
    ended(desk, run)
    with writing(desk._engine) as connection:
        elsewhere = {"pid_space": "another", "host": "away", "state": "running", "ended_at": None}
        connection.execute(table.update().values(elsewhere))
    assert desk.running().host == "away"
    with writing(desk._engine) as connection:
        connection.execute(table.update().values(renewed_at=run.started_at - 2 * LEASE))
    assert desk.running() is None
    assert "no sign of life from away" in desk.get(run.id).sentence
