"""A real process makes a model ready, against a local stand-in for the Hub."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.standins.hub import REPO, VERSION, serving_hub
from tests.waiting import wait_for
from vibecheck.models import background_build
from vibecheck.models.background_build import (
    BackgroundBuild,
    BuildState,
    _state,
    oom_kills,
    why_it_ended,
)
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


def test_a_failure_is_told_in_the_sentence_of_the_process(hub, settings):
    hub.refused = (404, "RepoNotFound")
    state = BackgroundBuild(settings, REPO).wait(180)
    assert (state.step, state.later) == ("failed", False)
    assert "no model owner/name on the Hub" in state.sentence


def test_it_gives_way_to_other_work_and_says_how_far_it_is(hub, settings):
    hub.pause = 0.2
    build = BackgroundBuild(settings, REPO)
    wait_for(lambda: build.state.share > 0.1, "some of the bytes")
    state = build.state
    assert state.step == "fetching" and state.running and 0 < state.share < 1
    assert state.total > 7_000_000
    assert psutil.Process(build.pid).nice() == 10
    build.stop()
    assert not alive(build.pid)


def test_it_does_not_outlive_an_app_that_was_killed(hub, settings):
    hub.pause = 0.5
    code = (
        "import sys, time; from pathlib import Path\n"
        "from vibecheck.models.background_build import BackgroundBuild\n"
        "from vibecheck.settings import Settings\n"
        "p = BackgroundBuild(Settings(data=Path(sys.argv[1])), sys.argv[2])\n"
        "while p.state.step != 'fetching': time.sleep(0.05)\n"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    app = subprocess.Popen(
        [sys.executable, "-c", code, settings.data, REPO], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    pid = int(app.stdout.readline())
    assert alive(pid)
    app.kill()
    app.communicate()
    wait_for(lambda: not alive(pid), "the end of the process")


def test_a_process_that_dies_without_a_word_is_said(hub, settings):
    hub.pause = 0.5
    build = BackgroundBuild(settings, REPO)
    wait_for(lambda: build.state.step == "fetching", "the first bytes")
    psutil.Process(build.pid).kill()
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
        (-9, "", True, "(the system ran out of memory and ended it):"),
        (-6, "terminate called\nstd::bad_alloc", True, "(SIGABRT): std::bad_alloc."),
    ],
)
def test_memory_is_blamed_only_when_the_kernel_says_so(code, written, out_of_memory, why):
    assert why_it_ended(code, written, out_of_memory) == why


def test_the_kernel_s_count_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(background_build, "VMSTAT", tmp_path / "vmstat")
    assert oom_kills() == 0, "another system has no such file"
    (tmp_path / "vmstat").write_text("pgfault 9\noom_kill 3\noom_kill_retries 7\n")
    assert oom_kills() == 3
    (tmp_path / "vmstat").write_text("pgfault 9\n")
    assert oom_kills() == 0, "older kernels do not count them"


def test_a_child_that_fails_while_it_watches_its_parent_ends_as_it_failed(tmp_path):
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
def test_what_each_line_means(line, state):
    assert _state(line) == state
    assert state.running is (state.step == "fetching")


def test_shares_of_nothing_are_nothing():
    assert BuildState("fetching").share == 0 and BuildState("fetching", 5, 4).share == 1
