"""Writes files whole, and waits for the disk, so that what was written survives a power cut."""

import os
import tempfile
from pathlib import Path

# The suffix of a file being written; a process that dies leaves one behind.
UNFINISHED = ".part"


def write(path: Path, content: bytes, durably: bool = False) -> None:
    """Writes a file whole or not at all, with `durably` even if the power fails. Raises OSError.

    Only its owner may read it (mode 600), and its folder if that is new: it may show faces.
    """
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if durably:
            sync(path.parent.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=UNFINISHED)
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durably:
                file.flush()
                os.fsync(descriptor)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    if durably:
        sync(path.parent)


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's entries, are on disk. Raises OSError."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):  # Windows cannot open folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
