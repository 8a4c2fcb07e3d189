"""Cores and priorities for training runs, and which process belongs to a run."""

import contextlib
import os
import platform
import time
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")
# On Linux, a new process may have no command line for some ms (one in four on a busy machine); kernel threads
# never have one.
STARTUP_SECONDS = 1.0


def cores() -> int:
    """Cores that this process may use, by affinity and container limit."""
    if hasattr(os, "sched_getaffinity"):
        there = len(os.sched_getaffinity(0))
    else:
        there = os.cpu_count() or 1
    quota, _, period = _first_line(CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit() and int(period):
        there = min(there, max(1, round(int(quota) / int(period))))
    return there


def threads() -> int:
    """Threads for training: all cores but one, which is left to live video."""
    return max(1, cores() - 1)


def host() -> str:
    """This machine's name, for people."""
    return platform.node() or "this machine"


def pid_space() -> str:
    """The namespace of process ids: it changes with a reboot, and differs between containers."""
    boot = _first_line(Path("/proc/sys/kernel/random/boot_id"))
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = ""
    return " ".join(filter(None, (platform.node(), boot or f"{psutil.boot_time():.0f}", namespace)))


def is_alive(pid: int | None, run_id: str) -> bool:
    """Whether the process with this id belongs to the run, whose id is in its command line."""
    if pid is None:
        return False
    try:
        process = psutil.Process(pid)
        give_up = time.monotonic() + STARTUP_SECONDS
        while not (command := process.cmdline()) and time.monotonic() < give_up:
            time.sleep(0.01)
        return process.status() != psutil.STATUS_ZOMBIE and any(run_id in part for part in command)
    except psutil.Error:
        return False


def lower_priority(pid: int) -> None:
    """Give a process the lowest CPU and disk priority, as far as the system supports it."""
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        psutil.Process(pid).nice(19 if os.name == "posix" else psutil.IDLE_PRIORITY_CLASS)
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    if hasattr(psutil, "IOPRIO_CLASS_IDLE"):
        with contextlib.suppress(psutil.Error, OSError):
            psutil.Process(pid).ionice(psutil.IOPRIO_CLASS_IDLE)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").split("\n", 1)[0].strip()
    except OSError:
        return ""
