"""Labelled pictures as people keep them: a CSV file, or a folder with a subfolder for each mood.

A file of labels may come from anybody, so it is hostile until parsed: each line of it becomes a
`LabelledPicture`, or a `Refused` with the reason, and only pictures below one folder are named.
"""

import codecs
import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PureWindowsPath
from typing import TextIO

from vibecheck.emotions import NAMES, name_of
from vibecheck.errors import LabelsError
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.records.values import hash_of
from vibecheck.vision.images import SUFFIXES

NEEDED = ("path", "label")
OPTIONAL = ("visitor", "timestamp")
# Spreadsheets write semicolons where the comma is for decimals, and tabs.
DELIMITERS = ",;\t|"
# By its first bytes, which Excel writes; anything else must be UTF-8.
ENCODINGS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
LONGEST_CELL = 4096  # characters; also the longest path that Linux takes
LONGEST_SHOWN = 60
# A camera's clock may be wrong by a time zone, and still no picture comes from tomorrow.
AHEAD = timedelta(days=1)
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Refused:
    """A line, or a file, that cannot be used. `path` is as it was written, `reason` a sentence."""

    row: int | None
    path: str
    reason: str


class BadLine(Exception):
    """Why one line cannot be used; never leaves this module."""


def count(source: Path) -> int:
    """How many pictures, and lines that are none, `source` holds; it is read from end to end.

    Raises LabelsError, as `read` would in the middle.
    """
    return sum(1 for _ in (_in_folder(source) if source.is_dir() else _lines(source)))


def read(source: Path, pictures: Path | None = None) -> Iterator[LabelledPicture | Refused]:
    """What a CSV file, or a folder of folders, says, one line or picture after the other.

    The first line of a CSV file names the columns: `path` and `label`, and perhaps `visitor` and
    `timestamp` (ISO 8601; UTC where it names no zone). Others are ignored. A path is relative to the
    folder `pictures` (that of the file, where None is given), and must stay below it. Raises LabelsError
    where the file as a whole cannot be read.
    """
    if source.is_dir():
        if pictures is not None:
            raise LabelsError(f"{source} is the folder of the pictures itself: leave --pictures out.")
        return _in_folder(source)
    below = pictures or source.parent
    return (_parsed(row, cells, below) for row, cells in _lines(source))


def _in_folder(folder: Path) -> Iterator[LabelledPicture | Refused]:
    try:
        subfolders = sorted(each for each in folder.iterdir() if each.is_dir())
        if not any(name_of(each.name) for each in subfolders):
            raise LabelsError(f"{folder} has no folder that is named for a mood ({', '.join(NAMES)}).")
        for subfolder in subfolders:
            label = name_of(subfolder.name)
            if label is None:
                yield Refused(None, str(subfolder), f"{_shown(subfolder.name)} is none of the seven moods.")
                continue
            for path in sorted(subfolder.rglob("*")):
                if path.suffix.lower() not in SUFFIXES or path.is_dir():
                    continue
                try:
                    yield LabelledPicture(None, _below(folder, str(path.absolute())), label)
                except BadLine as reason:
                    yield Refused(None, str(path), str(reason))
    except OSError as error:
        raise LabelsError(f"{folder} cannot be read: {error.strerror}.") from error


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The lines of a CSV file that are not empty, by column, with their numbers."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a device might never end
            raise LabelsError(f"{path} is not a file.")
        with path.open("rb") as file:
            start = file.read(4)
        encoding = next((name for bom, name in ENCODINGS if start.startswith(bom)), "utf-8-sig")
        with path.open(encoding=encoding, newline="") as file:
            yield from _rows(file, path)
    except FileNotFoundError as error:
        raise LabelsError(f"There is no file {path}.") from error
    except UnicodeError as error:
        raise LabelsError(f"{path} is not text in UTF-8: save it as “CSV UTF-8”.") from error
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror}.") from error


def _rows(file: TextIO, path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    header = file.readline(LONGEST_CELL)
    delimiter, columns = _columns(header, path)
    cells: Sequence[str] | None
    lines = csv.reader(_short(file, path), delimiter=delimiter, strict=True)
    for row in itertools.count(2):
        try:
            cells = next(lines, None)
        except csv.Error as error:
            raise LabelsError(f"Row {row} of {path} is not CSV ({error}): is a quote missing?") from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield row, dict(zip(columns, map(str.strip, cells), strict=False))


def _short(file: TextIO, path: Path) -> Iterator[str]:
    """The lines of a file, none of which may be endless."""
    longest = LONGEST_CELL * 16
    while line := file.readline(longest):
        if len(line) == longest:
            raise LabelsError(
                f"{path} has a line of more than {longest} characters: it is no list of labels."
            )
        yield line


def _columns(header: str, path: Path) -> tuple[str, list[str]]:
    """The delimiter and the names of the columns, from the first line."""
    for delimiter in DELIMITERS:
        names = [name.strip().strip('"').strip().lower() for name in header.split(delimiter)]
        if all(names.count(each) == 1 for each in NEEDED):
            if twice := [each for each in OPTIONAL if names.count(each) > 1]:
                raise LabelsError(f"{path} has two columns {twice[0]}: leave one out.")
            return delimiter, names
    raise LabelsError(
        f"The first line of {path} must name the columns: path,label and perhaps visitor and timestamp."
    )


def _parsed(row: int, cells: Mapping[str, str], below: Path) -> LabelledPicture | Refused:
    written = cells.get("path", "")
    try:
        if any(len(cell) > LONGEST_CELL for cell in cells.values()):
            raise BadLine(f"It has more than {LONGEST_CELL} characters in a column.")
        return LabelledPicture(
            row,
            _below(below, written),
            _label(cells.get("label", "")),
            hash_of(cells["visitor"]) if cells.get("visitor") else None,
            _moment(cells.get("timestamp", "")),
        )
    except BadLine as reason:
        return Refused(row, written[:LONGEST_CELL], str(reason))


def _below(folder: Path, written: str) -> Path:
    """The file that `written` names; refused where that leads out of the folder, also by a link.

    A list of labels that came from elsewhere could name any picture of this machine.
    """
    if not written:
        raise BadLine("It names no picture.")
    if "://" in written:
        raise BadLine("It names an address, not a file: fetch the picture first.")
    try:
        path = folder / written
        if "\\" in written and not path.exists():
            path = folder / PureWindowsPath(written).as_posix()
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BadLine(f"It lies outside {folder}: name the folder of the pictures with --pictures.")
    except (OSError, RuntimeError, ValueError):  # a null byte, a name too long, links in a circle
        raise BadLine("It cannot be the path of a file.") from None
    return path


def _label(written: str) -> str:
    if not written:
        raise BadLine("It has no label.")
    label = name_of(written)
    if label is None:
        raise BadLine(f"{_shown(written)} is none of the seven moods: {', '.join(NAMES)}.")
    return label


def _moment(written: str) -> datetime | None:
    if not written:
        return None
    try:
        moment = datetime.fromisoformat(written)
        moment = (moment if moment.utcoffset() is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadLine(f"{_shown(written)} is no time: write it as 2026-01-31T12:00:00Z.") from None
    if moment < EARLIEST:
        raise BadLine(f"{_shown(written)} is before {EARLIEST.year}.")
    if moment > datetime.now(UTC) + AHEAD:
        raise BadLine(f"{_shown(written)} lies in the future.")
    return moment


def _shown(text: str) -> str:
    """What a file says, short and without control characters, for a sentence."""
    return repr(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…")
