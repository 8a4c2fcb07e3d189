"""CSV that a spreadsheet does not evaluate."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

# Characters that make Excel, LibreOffice or Google Sheets treat a cell as a formula (OWASP, CSV injection),
# and their full-width forms. Leading spaces do not prevent that.
FORMULA = "=+-@＝＋－＠"
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
# Where a spreadsheet may begin a cell: also after the separators of other locales.
_START_OF_FORMULA = re.compile(rf"(?:^|(?<=[,;|]))(?=\s*[{re.escape(FORMULA)}])")
_BREAKS = str.maketrans("\t\r\n\0", "    ")


def harmless(cell: str) -> str:
    """The cell with a ' wherever a spreadsheet could begin to read a formula; numbers stay as they are.

    Tabs, line breaks and NUL become spaces; a cell that begins with another control character gets a ' too.
    """
    if NUMBER.fullmatch(cell):
        return cell
    seen = _START_OF_FORMULA.sub("'", cell.translate(_BREAKS))
    unprintable = seen[:1] and not seen[0].isprintable()
    changed = cell[:1] and not cell[0].isprintable() and not seen.startswith("'")
    return "'" + seen if unprintable or changed else seen


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
