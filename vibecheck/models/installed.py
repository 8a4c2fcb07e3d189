"""The models installed on this machine: a folder for each version, under `models` in the data folder.

A folder is written under another name and then renamed, so it is complete or absent. Its `report.json` has a
checksum of every file, so that damage is noticed and the model built again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock

from vibecheck.errors import ModelError
from vibecheck.models.registry import Registry
from vibecheck.records.disk import sync
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.reader import Reader

REPORT_FILE = "report.json"
# Files that are needed to run a model; the weights are for building it again and for training.
RUN_FILES = ("model.onnx", "config.json", "vibecheck.json")
# What a model is built from, beside its weights.
SOURCE_FILES = ("config.json", "preprocessor_config.json", "vibecheck.json")
WEIGHTS = "*.safetensors*"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Installed:
    """A model in a folder, with the report of its build (see `vibecheck.export`), empty as shipped."""

    version: str
    folder: Path
    report: dict[str, Any]

    @property
    def manifest(self) -> Manifest:
        """Its manifest, read from the folder. Raises ModelError."""
        return Manifest.read(self.folder)


class InstalledModels:
    """The folder of all installed models, for any number of processes."""

    def __init__(self, data: Path) -> None:
        self._root = data.absolute() / "models"

    def folder(self, version: str) -> Path:
        """The folder of a version, existing or not; different for each."""
        name = quote(version, safe="@")
        return self._root / (name if not name.startswith(".") else f"%2E{name[1:]}")

    def find(self, version: str, names: tuple[str, ...] = RUN_FILES) -> Installed | None:
        """The version, if it is installed and the files `names` are undamaged."""
        folder = self.folder(version)
        report = _read_report(folder)
        if report is None or report.get("version") != version:
            return None
        sums = report["files"]
        if not all(name in sums and checksum(folder / name) == sums[name] for name in names):
            return None
        return Installed(version, folder, report)

    def source_folder(self, version: str) -> Path | None:
        """The version's folder, if everything that `model.onnx` is built from is in it, undamaged."""
        there = self.find(version, ())
        sources = tuple(there.report["files"].keys() - {RUN_FILES[0]}) if there else ()
        return there.folder if there and self.find(version, sources) else None

    def placed(self) -> frozenset[tuple[str, int]]:
        """The folders of all versions, each with the time at which it was put there."""
        found = set()
        for path in self._root.glob(f"[!.]*/{REPORT_FILE}"):
            with suppress(FileNotFoundError):  # it is being replaced
                found.add((path.parent.name, path.stat().st_mtime_ns))
        return frozenset(found)

    @contextmanager
    def building(self, version: str) -> Iterator[Path]:
        """An empty folder to build the version in, for one process at a time; others wait.

        It is deleted after the block, unless `place` has moved it.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        part = self._aside(version, "part")
        with FileLock(self._aside(version, "lock")):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            try:
                yield part
            finally:
                shutil.rmtree(part, ignore_errors=True)

    def place(self, version: str, part: Path, report: dict[str, Any]) -> Installed:
        """Move a finished folder to its place, replacing what was there."""
        sums = {path.name: checksum(path) for path in sorted(part.iterdir()) if path.is_file()}
        report = {"format": FORMAT, "version": version} | report | {"files": sums}
        (part / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        for path in part.iterdir():
            sync(path)
        sync(part)
        folder, old = self.folder(version), self._aside(version, "old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
        sync(self._root)
        shutil.rmtree(old, ignore_errors=True)
        return Installed(version, folder, report)

    def downloads(self, version: str) -> Path:
        """The download folder of the version; complete files are not fetched again."""
        return self._aside(version, "download")

    def _aside(self, version: str, what: str) -> Path:
        return self._root / f".{self.folder(version).name}.{what}"


def checksum(path: Path) -> str | None:
    """The SHA-256 of a file in hexadecimal, or None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def sources_in(folder: Path, *others: str) -> list[Path]:
    """The files in a folder that a model is built from, and those of `others` that are there."""
    paths = (*(folder / name for name in (*SOURCE_FILES, *others)), *sorted(folder.glob(WEIGHTS)))
    return [path for path in paths if path.is_file()]


def content_of(folder: Path) -> str:
    """A checksum over everything that a model is built from."""
    sums = [(path.name, checksum(path)) for path in sources_in(folder)]
    return hashlib.sha256(repr(sorted(sums)).encode()).hexdigest()


def _read_report(folder: Path) -> dict[str, Any] | None:
    try:
        report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(report, dict) and report.get("format") == FORMAT
    return report if known and isinstance(report.get("files"), dict) else None


def champion_version(settings: Settings) -> str:
    """The champion by the registry. Raises RecordsError."""
    with Registry.open(settings) as registry:
        return registry.champion().version


def champion_manifest(settings: Settings) -> Manifest:
    """The manifest of the champion; with its version alone if it is not ready on this machine.

    Raises RecordsError.
    """
    version = champion_version(settings)
    try:
        return Manifest.read(folder_of(version, settings.data))
    except ModelError:
        return Manifest(version=version)


def folder_of(version: str, data: Path) -> Path:
    """The folder that a version runs from, including the embedded one.

    Raises ModelError if it is not installed.
    """
    there = InstalledModels(data).find(version)
    if version == Manifest.read(EMBEDDED).version:
        # An installed copy of the same weights runs in the variant that is fastest on this machine.
        same = there is not None and there.report["content"] == content_of(EMBEDDED)
        return there.folder if there and same else EMBEDDED
    if there is None:
        raise ModelError(
            f"{version} is not ready on this machine: python -m vibecheck models list shows the versions "
            "that are, python -m vibecheck compile MODEL builds another."
        )
    return there.folder


def reader_of(version: str, settings: Settings) -> Reader:
    """Reads like the app when this version runs: from its folder, with its calibration.

    Raises ModelError if it is not installed, and RecordsError.
    """
    reader = Reader.open(folder_of(version, settings.data), settings.threads)
    with Registry.open(settings) as registry:
        reader.classifier = registry.calibrations.current(reader.classifier)
    return reader
