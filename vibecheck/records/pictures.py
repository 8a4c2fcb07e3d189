"""The pictures that visitors allowed us to keep, in a folder or in object storage.

A picture is `<first two characters of the id>/input_<id>.jpg`: ids are random, so a million pictures make
256 folders of four thousand each, which list quickly.
"""

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from vibecheck.errors import PictureStorageError, RecordsError, UnknownPrediction
from vibecheck.records import disk
from vibecheck.records.values import is_prediction_id

# S3's timeouts and attempts. By default its driver waits a minute and tries five times: longer than
# visitors would wait for a page.
S3_PATIENCE = {"connect_timeout": 3, "read_timeout": 5, "retries": {"max_attempts": 0}}
S3_TRIES = 2
FREE_DISK_FLOOR = 500_000_000  # bytes
NO_ROOM = "The disk is nearly full: no more pictures are kept until some space is free."
# Pictures without a record that crashes may have left.
FEW = 20

log = logging.getLogger(__name__)


class Pictures:
    """The pictures at `location`: a path, or a URL as fsspec takes it (`s3://bucket/folder`).

    Every method raises PictureStorageError if the storage cannot be used, and UnknownPrediction for a text
    that cannot be the id of a prediction.
    """

    def __init__(self, location: str) -> None:
        """Raises RecordsError for a kind of URL that is unknown or whose driver is not installed."""
        self._shown = re.sub(r"//[^/]*@", "//", location)  # without user and password
        try:
            # Other processes add and delete pictures, so listings must not be cached.
            options = {"config_kwargs": S3_PATIENCE} if location.startswith(("s3://", "s3a://")) else {}
            # To url_to_fs, two colons in a path would chain two file systems.
            fs, root = (
                url_to_fs(location, use_listings_cache=False, **options)
                if "://" in location
                else (LocalFileSystem(), Path(location).absolute().as_posix())
            )
            if options:
                fs.retries = S3_TRIES
        except (ImportError, ValueError) as error:
            problem = f"Pictures cannot be kept at {self._shown} ({error}): check VIBECHECK_IMAGES_URL."
            raise RecordsError(problem) from error
        self._fs: AbstractFileSystem = fs
        self._root: str = root.rstrip("/")
        self._local = getattr(fs, "local_file", False)

    def has_room(self) -> bool:
        """Whether more pictures may be kept: below FREE_DISK_FLOOR the disk is left to the database."""
        if not self._local:
            return True
        folder = Path(self._root)
        with self._translated("read"):
            existing = next((each for each in (folder, *folder.parents) if each.exists()), folder)
            return shutil.disk_usage(existing).free >= FREE_DISK_FLOOR

    def put(self, prediction_id: str, jpeg: bytes, *, wait: bool = True) -> None:
        """Keeps the picture atomically: when this returns it is on disk, and nothing partial ever is.

        Without `wait`, for pictures that can be made again, it may not be on disk yet, which is much faster.
        """
        path = self._path(prediction_id)
        if not self.has_room():
            raise PictureStorageError(NO_ROOM)
        with self._translated("written"):
            if self._local:
                disk.write(Path(path), jpeg, durably=wait)
            else:  # object stores show an object only once it is complete
                self._fs.pipe_file(path, jpeg)

    def get(self, prediction_id: str) -> bytes | None:
        """The picture, or None if none is kept."""
        path = self._path(prediction_id)
        with self._translated("read"), suppress(FileNotFoundError):
            return self._fs.cat_file(path)
        return None

    def delete(self, prediction_id: str) -> None:
        """Deletes the picture if there is one."""
        self._remove(self._path(prediction_id))

    def exists(self, prediction_id: str) -> bool:
        """Whether a picture is kept."""
        path = self._path(prediction_id)
        with self._translated("read"):
            return self._fs.exists(path)

    def remove_strays(
        self, before: datetime, kept: Callable[[list[str]], set[str]], expired: datetime
    ) -> int:
        """Deletes pictures written before `before` that no prediction keeps; returns how many.

        A process that dies between writing a picture and its row leaves such a picture. If there are many,
        and more than are kept, they may belong to another database, or to one that will be restored: then
        only those written before `expired` are deleted. `kept` is given ids and returns those whose picture
        is kept. Other files are left alone.
        """
        strays: dict[str, datetime] = {}
        ours = 0
        for shard in self._shards():
            owners = {path: owner for path in self._list(shard) if (owner := _owner(path)) is not None}
            known = kept([owner for owner in owners.values() if owner])
            ours += len(known)
            strays |= {path: self._modified(path, before) for path in owners if owners[path] not in known}
        strays = {path: written for path, written in strays.items() if written < before}
        if len(strays) > max(FEW, ours):
            log.warning(
                "%d pictures at %s have no record in this database, and %d have one: check "
                "VIBECHECK_DATABASE_URL and VIBECHECK_IMAGES_URL.", len(strays), self._shown, ours,
            )  # fmt: skip
            strays = {path: written for path, written in strays.items() if written < expired}
        removed = 0
        for path in strays:
            # It may be kept by now: listing many pictures takes minutes in object storage.
            if not kept([_owner(path) or ""]) and self._modified(path, before) < before:
                self._remove(path)
                removed += 1
        return removed

    def check(self) -> str:
        """Writes, reads and deletes a small file; returns a sentence that says where."""
        probe = uuid4().hex
        self.put(probe, b"probe")
        kept = self.get(probe)
        self.delete(probe)
        if kept != b"probe":
            raise RecordsError(f"A picture written to {self._shown} could not be read back.")
        return f"{self._shown} can be written and read."

    def _path(self, prediction_id: str) -> str:
        if not is_prediction_id(prediction_id):
            raise UnknownPrediction(f"{prediction_id!r} is not the id of a prediction.")
        return f"{self._root}/{prediction_id[:2]}/input_{prediction_id}.jpg"

    def _shards(self) -> list[str]:
        """The existing ones of the 256 possible folders."""
        names = (path.rstrip("/").rpartition("/")[2] for path in self._list())
        return sorted(name for name in names if re.fullmatch(r"[0-9a-f]{2}", name))

    def _list(self, shard: str = "") -> list[str]:
        with self._translated("listed"), suppress(FileNotFoundError):
            return self._fs.ls(f"{self._root}/{shard}", detail=False)
        return []

    def _modified(self, path: str, gone: datetime) -> datetime:
        with self._translated("read"), suppress(FileNotFoundError):
            return self._fs.modified(path)
        return gone  # deleted since it was listed

    def _remove(self, path: str) -> None:
        with self._translated("deleted"), suppress(FileNotFoundError):
            self._fs.rm_file(path)

    @contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # drivers of object storage raise exceptions of their own
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            elsewhere = "set VIBECHECK_DATA (or VIBECHECK_IMAGES_URL, if that is set) to another folder"
            advice = f"the space and the permissions there, or {elsewhere}"
            if not self._local:
                advice = "VIBECHECK_IMAGES_URL, the access keys, and whether that storage can be reached"
            raise PictureStorageError(
                f"A picture could not be {done} at {self._shown} ({reason.rstrip('.')}): check {advice}."
            ) from error


def _owner(path: str) -> str | None:
    """The id in a picture's name, "" for a partial picture, None for any other file."""
    name = path.rpartition("/")[2]
    if match := re.fullmatch(r"input_([0-9a-f]{32})\.jpg", name):
        return match[1]
    return "" if name.startswith("input_") and name.endswith(disk.UNFINISHED) else None
