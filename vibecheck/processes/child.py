"""Child processes: how they are started and ended, and how a child notices that its parent is gone.

A child has a pipe for standard input, which the system closes when the parent ends, however it ends; the
child calls `exit_with_parent`. A detached child outlives its parent.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pydantic import SecretStr

from vibecheck.settings import ENVIRONMENT_ONLY, Settings, environment_name

PROJECT = Path(__file__).parents[2]
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no other


# The environment variables passed to a child. Secrets that only the app needs (the access token, the webhook
# for alerts, those of Spotify and of the camera relays) and unknown variables are not passed.
PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TZ|TERM|COLUMNS|NO_COLOR|LANG|LANGUAGE|LC_\w+|TMPDIR|TEMP|TMP|XDG_\w+"
    r"|SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMDATA"
    r"|PYTHON\w+|VIRTUAL_ENV|LD_LIBRARY_PATH|DYLD_\w+"
    r"|(?:HTTPS?|ALL|NO)_PROXY|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|VIBECHECK_(?!ACCESS_TOKEN|ALERT_URL)\w+|COMET_\w+"
    r"|HF_(?!TOKEN$)\w+|TRANSFORMERS_\w+|TORCH\w*|PYTORCH_\w+|CUDA_\w+|NVIDIA_\w+|NCCL_\w+|ACCELERATE_\w+"
    r"|(?:OMP|MKL|OPENBLAS|KMP|ORT)_\w+"
    r"|AWS_\w+|GOOGLE_APPLICATION_CREDENTIALS|AZURE_STORAGE_\w+|FSSPEC_\w+|PG\w+",  # of pictures and records
    re.IGNORECASE,
)


def passed_on() -> dict[str, str]:
    """The part of this process's environment that its children get."""
    return {name: value for name, value in os.environ.items() if PASSED.fullmatch(name)}


def environment(settings: Settings, threads: int = 1) -> dict[str, str]:
    """The environment of a child with these settings, for computations in `threads` threads.

    It includes the settings from all sources, so the child does not read files that hold the app's secrets.
    """
    ours = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    for field in settings.model_fields_set:
        name, value = environment_name(field), getattr(settings, field)
        if PASSED.fullmatch(name) and value is not None:
            ours[name] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    ours |= {
        ENVIRONMENT_ONLY: "1",
        "OMP_WAIT_POLICY": "passive",
        "TOKENIZERS_PARALLELISM": "false",
        "VIBECHECK_DATA": str(settings.data.absolute()),
        "VIBECHECK_DATABASE_URL": settings.records_url,
        "VIBECHECK_IMAGES_URL": settings.images_url,
        "VIBECHECK_THREADS": str(settings.threads),
    }
    if settings.hf_token:
        ours["HF_TOKEN"] = settings.hf_token.get_secret_value()
    return passed_on() | ours


def start(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
    detached: bool = False,
) -> "subprocess.Popen[bytes]":
    """Starts a child that ends with this process, or, if `detached`, leads a session and process group of
    its own. Raises OSError."""
    stdin = subprocess.DEVNULL if detached else subprocess.PIPE
    return subprocess.Popen(
        command, env=_with_path(env), stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=detached
    )


def reap(child: "subprocess.Popen[bytes]") -> None:
    """Waits for a child's end in the background, so that it does not stay a zombie."""
    threading.Thread(target=child.wait, name="reaper", daemon=True).start()


def end(child: "subprocess.Popen[bytes]", within: float = 5.0) -> None:
    """Ends a child of `start`: closes its standard input, and kills it after `within` seconds."""
    if child.stdin:
        with contextlib.suppress(OSError):
            child.stdin.close()
    try:
        child.wait(within)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def signal_group(pid: int, how: signal.Signals) -> None:
    """Sends a signal to a detached child and all its descendants in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, how)
        else:
            os.kill(pid, signal.SIGTERM)


def signal_name(number: int) -> str:
    """As "SIGKILL"; most real-time signals have only a number."""
    return signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"


def exit_with_parent(niceness: int, stop: Callable[[], None] = lambda: None, grace: float = 0.0) -> None:
    """In a child of `start`: lowers its priority by `niceness`, and exits when the parent does.

    `stop` is called first, and the process has `grace` seconds to end by itself.
    """
    if hasattr(os, "nice"):
        os.nice(niceness)

    def watch() -> None:
        # Not through sys.stdin, whose lock would make Python abort if it exits meanwhile.
        while os.read(0, 1024):
            pass
        stop()
        time.sleep(grace)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _with_path(env: Mapping[str, str] | None) -> dict[str, str]:
    """Adds this VibeCheck to the child's import path, so that its working directory does not matter."""
    env = passed_on() if env is None else env
    return dict(env) | {"PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT), env.get("PYTHONPATH"))))}
