import threading

import pytest

from tests.training_runs.conftest import CHILD
from tests.waiting import wait_for
from vibecheck.errors import RecordsError
from vibecheck.training_runs.events import Milestone, RunProgress
from vibecheck.training_runs.run_folder import TRAINED, RunFolder, read_json
from vibecheck.training_runs.runs_table import CANCELLED, FAILED, LOST, RunsTable
from vibecheck.training_runs.supervisor import Supervisor, note_end

ID = "a" * 32


@pytest.fixture
def database_url(sqlite_url):
    return sqlite_url


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    made = RunFolder(tmp_path / ID)
    made.path.mkdir()
    return made


def test_command_that_ignores_cancelling_is_killed(engine, folder):
    ledger = RunsTable(engine)
    ledger.begin(ID, {}, "here", "1")
    runner, states = Supervisor(folder, ledger, grace=0.3), []
    command = [*CHILD, "--base=stubborn", f"--out={folder.out}"]
    thread = threading.Thread(target=lambda: states.append(runner.run(command, {})))
    thread.start()
    wait_for(lambda: folder.events.exists() and b'"step"' in folder.events.read_bytes())
    runner.stop("It was cancelled.")
    thread.join(30)
    assert states == ["cancelled"] and ledger.get(ID).sentence == "It was cancelled."


def test_trained_model_survives_a_lost_run_and_the_register_command_is_shown(engine, folder):
    table = RunsTable(engine)
    table.begin(ID, {}, "here", "1")
    (folder.out / "model").mkdir(parents=True)
    (folder.out / TRAINED).write_text("{}")
    (folder.out / "report.json").write_text('{"proved": true}')
    note_end(table, folder, LOST, "Its process is gone.", RunProgress())
    assert (folder.out / "model").exists()
    run = table.get(ID)
    assert run.sentence.endswith(f"python -m finetune --register {folder.out} registers it.")
    assert run.report == {"proved": True}


def test_the_end_of_a_run_whose_model_is_registered_does_not_ask_to_register_it(engine, folder):
    table, said = RunsTable(engine), f"python -m finetune --register {folder.out}"
    folder.out.mkdir(parents=True)
    (folder.out / TRAINED).write_text("{}")
    table.begin(ID, {}, "here", "1")
    exported = RunProgress().heard(Milestone(event="exported"))
    note_end(table, folder, CANCELLED, "It was cancelled.", exported)
    assert table.get(ID).sentence == f"It was cancelled. Its model is registered: {said} compares it."
    failed = "b" * 32
    table.begin(failed, {}, "here", "1")
    folder.path.rename(folder.path.with_name(failed))
    other = RunFolder(folder.path.with_name(failed))
    sentence = f"It failed. The trained model is kept: python -m finetune --register {other.out} continues."
    note_end(table, other, FAILED, sentence, exported)
    assert table.get(failed).sentence == sentence, "the step to take is named once"


def test_end_of_a_run_is_recorded_again_if_the_records_were_unavailable(engine, folder, monkeypatch):
    ledger = RunsTable(engine)
    ledger.begin(ID, {}, "here", "1")
    end, tries = ledger.end, []

    def away_at_first(*arguments):
        tries.append(1)
        if len(tries) == 1:
            raise RecordsError("The database cannot be reached.")
        end(*arguments)

    monkeypatch.setattr(ledger, "end", away_at_first)
    monkeypatch.setattr("vibecheck.training_runs.supervisor.time.sleep", lambda _: None)
    assert Supervisor(folder, ledger).run([*CHILD, "--base=quick", f"--out={folder.out}"], {}) == "finished"
    assert len(tries) == 2 and ledger.get(ID).report["proved"]
    assert read_json(folder.path / "end.json")["state"] == "finished"


def test_full_disk_neither_stops_a_run_nor_hides_its_end(engine, folder):
    table = RunsTable(engine)
    table.begin(ID, {}, "here", "1")
    folder.events.symlink_to("/dev/full")
    for name in ("child", "end"):  # nothing can be written there either
        (folder.path / f"{name}.json").mkdir()
    assert Supervisor(folder, table).run([*CHILD, "--base=quick", f"--out={folder.out}"], {}) == "finished"
    assert table.get(ID).state == "finished" and table.get(ID).progress.finished.version == "tuned-1"
