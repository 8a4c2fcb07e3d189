"""Training runs of a command that only prints events like the real one, with each database in turn."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_for
from vibecheck.settings import Settings
from vibecheck.training_runs.run_folder import read_json
from vibecheck.training_runs.runs import TrainingRuns
from vibecheck.training_runs.runs_table import TrainingRun

# Without `site`, since it runs at the lowest priority, beside tests that keep all cores busy.
CHILD = (sys.executable, "-I", "-S", str(Path(__file__).with_name("child.py")))


@pytest.fixture
def open_runs(settings: Settings) -> Iterator[Callable[[], TrainingRuns]]:
    """Opens the runs, as each copy of the app does; ends what is still running after the test."""
    opened = []

    def open_one(data: Path | None = None, command: Sequence[str] = CHILD) -> TrainingRuns:
        mine = settings if data is None else settings.model_copy(update={"data": data})
        opened.append(TrainingRuns.open(mine, command))
        return opened[-1]

    yield open_one
    for runs in opened:
        if (run := runs.running()) and run.pid:
            for process in _family(run.pid):
                with suppress(psutil.NoSuchProcess):  # ended by itself, or with the one before
                    process.kill()
        runs.close()


@pytest.fixture
def runs(open_runs: Callable[[], TrainingRuns]) -> TrainingRuns:
    return open_runs()


def ended(runs: TrainingRuns, run: TrainingRun) -> TrainingRun:
    """The run, once it has ended."""
    wait_for(lambda: runs.running() is None)
    return runs.get(run.id)


def command_of(runs: TrainingRuns, run: TrainingRun) -> psutil.Process:
    """The process of the training command, once it runs."""
    wait_for(lambda: read_json(runs.folder(run.id).path / "child.json"))
    return psutil.Process(read_json(runs.folder(run.id).path / "child.json")["pid"])


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return []
