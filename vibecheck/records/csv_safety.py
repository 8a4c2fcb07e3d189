"""CSV that a spreadsheet does not evaluate."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

# What makes Excel, LibreOffice or Google Sheets take a cell for a formula (OWASP, CSV injection). Spaces, a
# tab or a line break before it do not stop them.
FORMULA = ("=", "+", "-", "@")
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


def harmless(cell: str) -> str:
    """The cell, behind a ' where a spreadsheet could take it for a formula; numbers stay as they are.

    It could where it begins, after what a spreadsheet may skip, with = + - @, or where it begins with a
    control character. Line breaks and NUL become spaces.
    """
    if NUMBER.fullmatch(cell):
        return cell
    seen = cell.replace("\r", " ").replace("\n", " ").replace("\0", " ")
    if seen.lstrip().startswith(FORMULA) or (cell[:1] and not cell[0].isprintable()):
        return "'" + seen
    return seen


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header; cells that a spreadsheet would evaluate are made text."""
    file = io.StringIO()
    if rows:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(
            {name: harmless("" if v is None else str(v)) for name, v in row.items()} for row in rows
        )
    return file.getvalue()
