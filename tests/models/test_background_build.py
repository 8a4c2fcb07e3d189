"""A real process builds a model, against a local stand-in for the Hub."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.standins.hub import REPO, VERSION, serving_hub
from tests.waiting import wait_for
from vibecheck.models import background_build
from vibecheck.models.background_build import BackgroundBuild, BuildState, oom_kills, state_of, why_it_ended
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with serving_hub(EMBEDDED) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield served


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data=tmp_path / "data", model=REPO)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_failed_build_reports_the_message_of_its_process(hub, settings):
    hub.refused = (404, "RepoNotFound")
    state = BackgroundBuild(settings, REPO).wait(180)
    assert (state.step, state.later) == ("failed", False)
    assert "no model owner/name on the Hub" in state.sentence


def test_build_runs_at_low_priority_and_reports_its_progress(hub, settings):
    hub.pause = 0.2
    build = BackgroundBuild(settings, REPO)
    state = wait_for(lambda: state if (state := build.state).share > 0.1 else None, "some of the bytes")
    assert state.step == "fetching" and state.running and 0 < state.share < 1
    assert state.total > 7_000_000
    assert psutil.Process(build._process.pid).nice() == min(19, psutil.Process().nice() + 10)
    build.stop()
    assert not alive(build._process.pid)


def test_build_ends_when_the_app_is_killed(hub, settings):
    hub.pause = 0.5
    code = (
        "import sys, time; from pathlib import Path\n"
        "from vibecheck.models.background_build import BackgroundBuild\n"
        "from vibecheck.settings import Settings\n"
        "p = BackgroundBuild(Settings(data=Path(sys.argv[1])), sys.argv[2])\n"
        "while p.state.step != 'fetching': time.sleep(0.05)\n"
        "print(p._process.pid, flush=True); time.sleep(600)"
    )
    app = subprocess.Popen(
        [sys.executable, "-c", code, settings.data, REPO], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    pid = int(app.stdout.readline())
    assert alive(pid)
    app.kill()
    app.communicate()
    wait_for(lambda: not alive(pid), "the end of the process")


def test_killed_build_is_reported_with_its_signal(hub, settings):
    hub.pause = 0.5
    build = BackgroundBuild(settings, REPO)
    wait_for(lambda: build.state.step == "fetching", "the first bytes")
    psutil.Process(build._process.pid).kill()
    state = build.wait(30)
    assert state.step == "failed" and not state.later
    assert "(SIGKILL)" in state.sentence and f"python -m vibecheck compile {REPO}" in state.sentence
    assert "memory" not in state.sentence


@pytest.mark.parametrize(
    ("code", "written", "out_of_memory", "why"),
    [
        (
            1,
            "Traceback …\nImportError: No module named x.\n",
            False,
            "(exit status 1): ImportError: No module named x.",
        ),
        (-9, "", False, "(SIGKILL):"),
        (-35, "", False, "(signal 35):"),
        (-9, "", True, "(the system ran out of memory and ended it):"),
        (-6, "terminate called\nstd::bad_alloc", True, "(SIGABRT): std::bad_alloc."),
    ],
)
def test_out_of_memory_is_reported_only_if_the_kernel_says_so(code, written, out_of_memory, why):
    assert why_it_ended(code, written, out_of_memory) == why


def test_kernels_count_of_out_of_memory_kills_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(background_build, "VMSTAT", tmp_path / "vmstat")
    assert oom_kills() == 0, "another system has no such file"
    (tmp_path / "vmstat").write_text("pgfault 9\noom_kill 3\noom_kill_retries 7\n")
    assert oom_kills() == 3
    (tmp_path / "vmstat").write_text("pgfault 9\n")
    assert oom_kills() == 0, "older kernels do not count them"


def test_failing_child_process_exits_with_its_own_status(tmp_path):
    code = "import time; from vibecheck.processes.child import *; exit_with_parent(0); time.sleep(0.2); 1 / 0"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.wait(60) == 1, "not by a signal"
        assert child.stderr.read().rstrip().endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ({"step": "fetching", "done": 1, "total": 4}, BuildState("fetching", 1, 4)),
        (
            {"step": "ready", "version": VERSION, "folder": "/x", "report": {}},
            BuildState("ready", version=VERSION),
        ),
        (
            {"step": "failed", "sentence": "No.", "later": True},
            BuildState("failed", sentence="No.", later=True),
        ),
    ],
)
def test_build_state_is_parsed_from_each_output_line(line, state):
    assert state_of(json.dumps(line)) == state
    assert state.running is (state.step == "fetching")


def test_build_progress_is_zero_without_a_total_and_at_most_one():
    assert BuildState("fetching").share == 0 and BuildState("fetching", 5, 4).share == 1
