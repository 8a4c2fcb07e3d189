"""Files that commands write: whole or not at all."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vibecheck.errors import VibeCheckError


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; it replaces what is at `path` when it is complete, and not before.

    A symlink stays a symlink (its target is replaced), a FIFO or device is written to, and `-` is standard
    output. Raises VibeCheckError if the file cannot be written; nothing half-written is left then.
    """
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    try:
        if path.is_dir():
            raise VibeCheckError(f"{path} is a folder. Name a file in it.")
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        target = path.resolve()
        if not target.parent.is_dir():
            raise VibeCheckError(
                f"{path} cannot be written: there is no folder {path.parent}. Make it first."
            )
        unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with unfinished.open("wb") as file:
                yield file
            if target.exists():
                unfinished.chmod(target.stat().st_mode & 0o777)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle of symlinks
        reason = getattr(error, "strerror", None) or str(error)
        raise VibeCheckError(f"{path} cannot be written: {reason}.") from error


class _OnlyChecked(Exception):
    pass


def check_output(path: Path) -> None:
    """Check before long work that its result can be written to `path`. Raises VibeCheckError."""
    with suppress(_OnlyChecked), output_file(path):
        raise _OnlyChecked
