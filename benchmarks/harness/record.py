"""Writes results into benchmarks/README.md, with the machine, date, commit and load."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from vibecheck import __version__

README = Path(__file__).parents[1] / "README.md"
ROOT = Path(__file__).parents[2]


def write(name: str, rows: Sequence[dict], file: Path = README) -> None:
    """Write a table of the rows between `<!-- name -->` and `<!-- /name -->`.

    Raises LookupError if the file lacks these markers.
    """
    text = file.read_text(encoding="utf-8")
    place = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not place.search(text):
        raise LookupError(f"{file} has no place for these figures: add <!-- {name} --> and <!-- /{name} -->.")
    body = f"{table(rows)}\n\n{circumstances()}\n"
    file.write_text(place.sub(lambda found: found[1] + body + found[2], text), encoding="utf-8")


def table(rows: Sequence[dict]) -> str:
    """A Markdown table: the keys as headings, a line for each row."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [" | ".join(name.replace("_", " ") for name in names), " | ".join("---" for _ in names)]
    lines += [" | ".join(_cell(row.get(name)) for name in names) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def circumstances() -> str:
    """Machine, date, commit and load average."""
    memory = psutil.virtual_memory().total / 2**30
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, "
        f"Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}, version {__version__}, "
        f"commit {_commit()}; load average {busy:.1f} per core."
    )


def _commit() -> str:
    """The commit that is checked out, with a + if files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return str(value).replace("|", "\\|").replace("\n", " ")
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
