"""Reads labelled pictures from a CSV file, or from a folder with a subfolder for each mood.

A label file may come from anybody, so it is hostile until parsed: each line becomes a `LabelledPicture`, or a
`RefusedPicture` with the reason, and only pictures below one folder can be named.
"""

import codecs
import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TextIO
from unicodedata import normalize

from vibecheck.emotions import NAMES, name_of
from vibecheck.errors import LabelsError, PictureError
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.records.values import as_utc, hash_of
from vibecheck.vision.picture_folders import HIDDEN, is_hidden, is_picture, pictures_in

NEEDED = ("path", "label")
OPTIONAL = ("visitor", "timestamp")
# Spreadsheets write semicolons in locales with a decimal comma, and tabs.
DELIMITERS = ",;\t|"
LONGEST_CELL = 4096  # characters; also the longest path that Linux takes
LONGEST_SHOWN = 60
# A camera's clock may be wrong by a time zone; beyond that, a time in the future is a mistake.
AHEAD = timedelta(days=1)
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RefusedPicture:
    """A line, or a file, that cannot be used. `path` is as written, `reason` is a sentence."""

    row: int | None
    path: str
    reason: str


def count(source: Path) -> int:
    """How many results `read` will yield. Reads `source` to its end. Raises LabelsError as `read` does."""
    return sum(1 for _ in (_in_folder(source, Counter()) if source.is_dir() else _lines(source)))


def read(
    source: Path, pictures: Path | None = None, left_out: Counter[str] | None = None
) -> Iterator[LabelledPicture | RefusedPicture]:
    """The labelled pictures of a CSV file or a folder of folders, one after the other.

    The first line of a CSV file names the columns: `path` and `label`, and perhaps `visitor` and
    `timestamp` (ISO 8601; UTC if it names no zone). Other columns are ignored. A path is relative to the
    folder `pictures` (by default that of the file), and must stay below it. What is left out of a folder
    without being refused is counted in `left_out` (see `picture_folders.pictures_in`). Raises LabelsError if
    the file or folder as a whole cannot be read.
    """
    if source.is_dir():
        if pictures is not None:
            raise LabelsError(f"{source} is the folder of the pictures itself: leave --pictures out.")
        return _in_folder(source, Counter() if left_out is None else left_out)
    below = pictures or source.parent
    return (_parsed(row, cells, below) for row, cells in _lines(source))


def _in_folder(folder: Path, left_out: Counter[str]) -> Iterator[LabelledPicture | RefusedPicture]:
    try:
        entries = sorted(each for each in folder.iterdir() if not is_hidden(each.name))
        subfolders = [each for each in entries if each.is_dir()]
        if not any(name_of(each.name) for each in subfolders):
            raise LabelsError(f"{folder} has no folder that is named for a mood ({', '.join(NAMES)}).")
        for path in entries:
            if not path.is_dir() and is_picture(path):
                yield RefusedPicture(None, str(path), "It is not in a folder that is named for a mood.")
        for subfolder in subfolders:
            label = name_of(subfolder.name)
            if label is None:
                reason = f"{_shown(subfolder.name)} is none of the seven moods."
                yield RefusedPicture(None, str(subfolder), reason)
                continue
            for path in pictures_in(subfolder, left_out):
                try:
                    yield LabelledPicture(None, _below(folder, str(path.absolute())), label)
                except PictureError as error:
                    yield RefusedPicture(None, str(path), str(error))
        hidden = (each for each in folder.iterdir() if is_hidden(each.name))
        left_out[HIDDEN] += sum(path.is_file() for each in hidden for path in (each, *each.rglob("*")))
    except OSError as error:
        raise LabelsError(f"{folder} cannot be read: {error.strerror}.") from error


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The non-empty lines of a CSV file with their numbers, as cells by column."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a device might never end
            raise LabelsError(f"{path} is not a file.")
        with path.open("rb") as file:
            mark = file.read(2)  # the byte order mark, which Excel writes
        encoding = "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
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
    lines = csv.reader(_short(file, path), delimiter=delimiter, strict=True)
    row = 1
    try:
        for row, cells in enumerate(lines, 2):
            if any(cell.strip() for cell in cells):
                yield row, dict(zip(columns, map(str.strip, cells), strict=False))
    except csv.Error as error:
        raise LabelsError(f"Row {row + 1} of {path} is not CSV ({error}): is a quote missing?") from error


def _short(file: TextIO, path: Path) -> Iterator[str]:
    """The lines of a file; raises LabelsError for one without an end."""
    longest = LONGEST_CELL * 16
    while line := file.readline(longest):
        if len(line) == longest:
            raise LabelsError(
                f"{path} has a line of more than {longest} characters: it is not a list of labels."
            )
        yield line


def _columns(header: str, path: Path) -> tuple[str, list[str]]:
    """The delimiter and the names of the columns, from the first line."""
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:
            continue
        names = [name.strip().strip('"').strip().lower() for name in cells]
        if all(names.count(each) == 1 for each in NEEDED):
            if twice := [each for each in OPTIONAL if names.count(each) > 1]:
                raise LabelsError(f"{path} has two columns {twice[0]}: leave one out.")
            return delimiter, names
    raise LabelsError(
        f"The first line of {path} must name the columns: path,label and perhaps visitor and timestamp."
    )


def _parsed(row: int, cells: Mapping[str, str], below: Path) -> LabelledPicture | RefusedPicture:
    written = cells.get("path", "")
    try:
        if any(len(cell) > LONGEST_CELL for cell in cells.values()):
            raise PictureError(f"It has more than {LONGEST_CELL} characters in a column.")
        return LabelledPicture(
            row,
            _below(below, written),
            _label(cells.get("label", "")),
            hash_of(cells["visitor"]) if cells.get("visitor") else None,
            _moment(cells.get("timestamp", "")),
        )
    except PictureError as reason:
        return RefusedPicture(row, written[:LONGEST_CELL], str(reason))


def _below(folder: Path, written: str) -> Path:
    """The file that `written` names. Raises PictureError if that is outside the folder, also by a symlink.

    Otherwise somebody else's label file could have any picture of this machine imported.
    """
    if not written:
        raise PictureError("It names no picture.")
    if "://" in written:
        raise PictureError("It names an address, not a file: fetch the picture first.")
    try:
        path = folder / written
        if not path.exists() and not Path(written).is_absolute():
            path = _as_on_disk(folder, written)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise PictureError(f"It is outside {folder}: name the folder of the pictures with --pictures.")
    except (OSError, RuntimeError, ValueError):  # a null byte, a name too long, a circle of symlinks
        raise PictureError("It cannot be the path of a file.") from None
    return path


def _as_on_disk(folder: Path, written: str) -> Path:
    """A path as another system writes it: with backslashes, or with accents composed in another way."""
    path = folder
    for part in PurePosixPath(written.replace("\\", "/")).parts:
        wanted, there = normalize("NFC", part), path / part
        if not there.exists() and not part.isascii() and path.is_dir():
            same = (each for each in path.iterdir() if normalize("NFC", each.name) == wanted)
            there = next(same, there)
        path = there
    return path


def _label(written: str) -> str:
    if not written:
        raise PictureError("It has no label.")
    label = name_of(written)
    if label is None:
        raise PictureError(f"{_shown(written)} is none of the seven moods: {', '.join(NAMES)}.")
    return label


def _moment(written: str) -> datetime | None:
    if not written:
        return None
    try:
        moment = as_utc(datetime.fromisoformat(written))
    except (ValueError, OverflowError):
        raise PictureError(f"{_shown(written)} is not a time: write it as 2026-01-31T12:00:00Z.") from None
    if moment < EARLIEST:
        raise PictureError(f"{_shown(written)} is before {EARLIEST.year}.")
    if moment > datetime.now(UTC) + AHEAD:
        raise PictureError(f"{_shown(written)} is in the future.")
    return moment


def _shown(text: str) -> str:
    """A part of the file, short and without control characters, for an error message."""
    return repr(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…")
