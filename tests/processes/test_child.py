"""Child processes that end with their parent, those that outlive it, and the settings that both receive."""

import os
import signal
import subprocess
import sys
import time

import psutil

from tests.waiting import wait_for
from vibecheck.processes import child

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
FOLLOWER = (
    sys.executable,
    "-c",
    "import time; from vibecheck.processes.child import exit_with_parent; exit_with_parent(3);"
    "print(flush=True); time.sleep(600)",
)


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_child_that_ignores_the_end_of_its_input_is_killed():
    sleeper = child.start(SLEEPER)
    begun = time.monotonic()
    child.end(sleeper, within=0.2)
    assert sleeper.returncode == -signal.SIGKILL and time.monotonic() - begun < 30


def test_child_ends_when_its_input_closes_and_runs_at_lower_priority(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # it imports VibeCheck all the same
    follower = child.start(FOLLOWER, stdout=subprocess.PIPE)
    follower.stdout.readline()
    assert psutil.Process(follower.pid).nice() == min(19, os.nice(0) + 3)
    child.end(follower, within=60)
    assert follower.returncode == 1  # of itself
    follower.stdout.close()


def test_a_detached_child_is_ended_with_its_own_children_and_leaves_no_zombie():
    code = f"import subprocess, sys; print(subprocess.Popen({SLEEPER!r}).pid, flush=True); sys.stdin.read();"
    parent = child.start(
        [sys.executable, "-c", code + "import time; time.sleep(600)"], None, -1, detached=True
    )
    pids = [parent.pid, int(parent.stdout.readline())]
    assert os.getpgid(pids[1]) == parent.pid != os.getpgid(0)
    child.reap(parent)
    child.signal_group(parent.pid, child.KILL)
    wait_for(lambda: not any(map(runs, pids)))
    wait_for(lambda: not psutil.pid_exists(parent.pid))
    parent.stdout.close()
