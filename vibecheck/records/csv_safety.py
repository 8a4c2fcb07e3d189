"""Cells that a spreadsheet will not run."""

import re

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
