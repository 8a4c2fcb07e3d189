import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from vibecheck.training_runs import resources

ID = "c" * 32


@pytest.mark.parametrize(
    ("written", "cores"),
    [
        ("max 100000", 4),
        ("200000 100000", 2),
        ("7800 100000", 1),
        ("900000 100000", 4),
        ("junk", 4),
        (None, 4),
    ],
)
def test_cpu_limit_of_a_container_is_respected(tmp_path, monkeypatch, written, cores):
    monkeypatch.setattr(resources, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    if written is not None:
        (tmp_path / "cpu.max").write_text(f"{written}\n")
    assert resources.cores() == cores
    assert resources.threads() == max(1, cores - 1)


def test_process_belongs_to_a_run_only_if_its_command_line_names_it():
    assert not resources.is_alive(None, ID)
    assert not resources.is_alive(os.getpid(), ID)
    command = [sys.executable, "-c", "input()", f"--out=/jobs/{ID}/out"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as sleeper:
        assert resources.is_alive(sleeper.pid, ID) and not resources.is_alive(sleeper.pid, "d" * 32)
        sleeper.kill()
        os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet asked after
        assert not resources.is_alive(sleeper.pid, ID)
    assert not resources.is_alive(sleeper.pid, ID)


def test_process_without_a_command_line_yet_is_asked_again(monkeypatch):
    answers = iter([[], [], ["python", f"/jobs/{ID}"]])
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: next(answers))
    assert resources.is_alive(os.getpid(), ID)


def test_process_that_never_has_a_command_line_belongs_to_no_run(monkeypatch):
    monkeypatch.setattr(resources, "STARTUP_SECONDS", 0.05)
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: [])
    assert not resources.is_alive(os.getpid(), ID)


def test_pid_space_and_host_are_stable_and_not_empty(monkeypatch):
    spaces = [resources.pid_space(), resources.pid_space()]
    for owner, name, other in (
        (platform, "node", lambda: "another machine"),
        (resources, "_first_line", lambda path: "another start"),
        (Path, "readlink", lambda path: Path("pid:[1]")),  # another container
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, other)
            spaces.append(resources.pid_space())
    assert spaces[0] == spaces[1] and len(set(spaces)) == 4
    assert resources.host() == platform.node() != ""
