"""The sending process: started once, restarted when it dies, ended with the app, and never waited for."""

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.records.examples import JPEG, NOON, a_prediction
from tests.records.rows import engine_of
from tests.waiting import wait_for
from vibecheck.comet import layout
from vibecheck.comet.sending_process import COMMAND, FIRST_PAUSE, SendingProcess
from vibecheck.models.registry import Registry
from vibecheck.processes import child
from vibecheck.records.store import Store

PROJECT = Path(__file__).parents[2]
SLEEPER = (sys.executable, "-c", "import sys; sys.stdin.read()")
DIES = (sys.executable, "-c", "pass")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def environment(settings, monkeypatch):
    """What the app's own environment says, for the processes that it starts."""
    monkeypatch.setenv("VIBECHECK_DATA", str(settings.data))
    monkeypatch.setenv("VIBECHECK_DATABASE_URL", settings.records_url)
    monkeypatch.setenv("COMET_API_KEY", "key")
    monkeypatch.setenv("COMET_URL_OVERRIDE", settings.comet_url_override)


@pytest.fixture
def process():
    running = []

    def make(command=COMMAND) -> SendingProcess:
        running.append(SendingProcess(command))
        return running[-1]

    yield make
    for each in running:
        each.close()


@pytest.fixture
def started(monkeypatch) -> list[int]:
    """The ids of the processes that were started, oldest first."""
    ids, start = [], child.start

    def noting(command):
        ids.append((process := start(command)).pid)
        return process

    monkeypatch.setattr(child, "start", noting)
    return ids


def test_sending_process_is_started_once(process, started):
    sending = process(SLEEPER)
    assert started == []
    sending.ensure()
    sending.ensure()
    (pid,) = started
    assert alive(pid)
    sending.close()
    assert not alive(pid)


def test_sending_process_that_exits_is_restarted_after_a_pause(process, started, monkeypatch):
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr("vibecheck.comet.sending_process.time", clock)
    sending = process(DIES)
    sending.ensure()
    wait_for(lambda: not alive(started[0]))
    sending.ensure()
    assert len(started) == 1
    clock.now += FIRST_PAUSE
    sending.ensure()
    assert len(started) == 2


def test_killed_sending_process_is_restarted_without_a_visit(process, started, monkeypatch):
    monkeypatch.setattr("vibecheck.comet.sending_process.FIRST_PAUSE", 0.0)
    monkeypatch.setattr("vibecheck.comet.sending_process.CHECK_EVERY", 0.05)
    sending = process(SLEEPER)
    sending.ensure()
    os.kill(started[0], signal.SIGKILL)
    wait_for(lambda: len(started) == 2)
    sending.close()
    sending.ensure()
    sending._watch.join()
    assert len(started) == 2 and not alive(started[1]), "once closed, it stays closed"


PARENT = """
import sys
import psutil
from vibecheck.comet.sending_process import COMMAND, SendingProcess
sending = SendingProcess()
sending.ensure()
print(*(each.pid for each in psutil.Process().children()), flush=True)
sys.stdin.read()
"""


def test_sending_process_ends_when_the_app_is_killed(environment, store):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not alive(pid))


def test_sending_process_sends_records_of_the_configured_store(environment, settings, store, comet, process):
    prediction = a_prediction(picture_kept=True)
    store.add(prediction, JPEG)
    process().ensure()
    wait_for(lambda: comet.names() == [prediction.picture_name])


@pytest.mark.slow
def test_sending_process_sends_models_too(environment, store, comet, process):
    Registry(engine_of(store)).register("a", "a test", "owner/name", {}, NOON)
    process().ensure()
    wait_for(lambda: layout.model_name("a") in comet.names())


@pytest.mark.slow
def test_a_vibe_check_is_as_fast_while_comet_hangs(environment, settings, store, comet, process):
    def took(store: Store) -> float:
        begun = time.perf_counter()
        store.add(a_prediction(picture_kept=True), JPEG * 2000)
        return time.perf_counter() - begun

    without = statistics.median(took(store) for _ in range(40))
    comet.fault("", times=10**6, seconds=60)
    process().ensure()
    wait_for(lambda: comet.asked("account-details"))
    hanging = statistics.median(took(store) for _ in range(40))
    assert hanging < 5 * without + 1, "a request takes a minute"


def test_home_loads_neither_the_sdk_nor_the_statistics():
    heavy = "{'altair', 'comet_ml', 'pandas', 'scipy', 'typer'}"
    code = f"import sys, vibecheck.ui.home.result; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
