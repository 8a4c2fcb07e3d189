"""The folder of a run: `events.jsonl`, `log.txt`, `child.json`, `end.json`, and `out`.

`out` is the `--out` of `python -m finetune`: see `finetune/training/plan.py`.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vibecheck.records import disk

# In `out`: face crops while they are being opened, the lock of the run, and what a finished training leaves.
PICTURES, LOCK, MODEL, TRAINED = "data", ".lock", "model", "trained.json"
# The end of the log that is shown.
LOG_BYTES = 16 * 1024
LOG_LINES = 60
# A larger report is not copied into the records.
LARGEST_REPORT = 1_000_000

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def trained(self) -> bool:
        """Whether the training was finished, so that its model can be registered."""
        return (self.out / TRAINED).exists()

    def clear(self) -> None:
        """Deletes what an unfinished run leaves behind, unless its model is trained."""
        if not self.trained:
            shutil.rmtree(self.out, ignore_errors=True)

    def log_end(self) -> str:
        """The last lines of the log, as plain text."""
        try:
            with self.log.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - LOG_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        # Only the last state of a progress bar.
        lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in _ESCAPES.sub("", text).split("\n")]
        return "\n".join(_CONTROL.sub(" ", line)[:500] for line in lines[-LOG_LINES:]).strip()

    def report(self) -> dict[str, Any] | None:
        """`out/report.json`, or None."""
        path = self.out / "report.json"
        try:
            return read_json(path) if path.stat().st_size <= LARGEST_REPORT else None
        except OSError:
            return None

    def report_html(self) -> bytes | None:
        """The report as HTML, or None."""
        try:
            return (self.out / "report.html").read_bytes()
        except OSError:
            return None


def root_of(data: Path) -> Path:
    """Where the runs of the page are, in a data folder."""
    return data.absolute() / "jobs"


def remove_pictures(data: Path) -> None:
    """Deletes the face crops of runs that were killed before they had opened them."""
    for pictures in (*data.glob(f"fine-tuning/*/{PICTURES}"), *root_of(data).glob(f"*/out/{PICTURES}")):
        with contextlib.suppress(Timeout, OSError), FileLock(pictures.parent / LOCK, timeout=0):
            shutil.rmtree(pictures, ignore_errors=True)


def clean(root: Path, keep: Iterable[str]) -> None:
    """Deletes the folders of all runs except these, as far as possible."""
    keep = set(keep)
    for path in root.glob("*"):
        if re.fullmatch(r"[0-9a-f]{32}", path.name) and path.name not in keep and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def write_json(path: Path, content: Mapping[str, Any] | Sequence[str]) -> None:
    """Writes a JSON file whole or not at all. Raises OSError."""
    disk.write(path, json.dumps(content, indent=2).encode() + b"\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON file that holds an object, or None where there is none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
