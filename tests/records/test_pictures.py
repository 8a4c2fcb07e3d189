import os
import resource
import signal
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.records.examples import JPEG
from vibecheck.errors import PictureStorageError, RecordsError, UnknownPrediction
from vibecheck.records.pictures import Pictures

ID = "ab" + "0" * 30
OTHER = "cd" + "1" * 30


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "images"


@pytest.fixture(params=["folder", "memory"])
def images(request, folder):
    return Pictures(str(folder) if request.param == "folder" else f"memory://{uuid4().hex}/images")


@contextmanager
def files_of_at_most(size):
    """A disk that fills up: writing past `size` bytes of a file fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def nobody_is_known(ids):
    return set()


def test_stored_picture_can_be_read(images):
    images.put(ID, JPEG)
    images.put(OTHER, JPEG + JPEG)
    assert (images.get(ID), images.get(OTHER)) == (JPEG, JPEG + JPEG)
    assert images.exists(ID)


def test_missing_picture_reads_as_none_and_can_be_deleted(images):
    assert images.get(ID) is None
    assert not images.exists(ID)
    images.delete(ID)


def test_deleted_picture_is_gone_and_others_stay(images):
    images.put(ID, JPEG)
    images.put(OTHER, JPEG)
    images.delete(ID)
    assert (images.get(ID), images.get(OTHER)) == (None, JPEG)
    assert not images.exists(ID)


def test_another_process_sees_and_deletes_the_same_pictures(folder):
    here, there = Pictures(str(folder)), Pictures(str(folder))
    assert there.get(ID) is None
    here.put(ID, JPEG)
    assert there.get(ID) == JPEG
    there.delete(ID)
    assert not here.exists(ID)


def test_picture_file_is_private_and_named_after_its_id(folder):
    Pictures(str(folder)).put(ID, JPEG)
    assert files(folder) == [f"ab/input_{ID}.jpg"]
    assert (folder / files(folder)[0]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wrong", ["", "../" + ID[3:], ID + "/..", ID.upper(), ID[:-1], "ab/../" + ID])
def test_malformed_id_is_refused_before_it_reaches_the_disk(images, wrong):
    for use in (images.get, images.delete, images.exists, lambda name: images.put(name, JPEG)):
        with pytest.raises(UnknownPrediction, match="not the id of a prediction"):
            use(wrong)


def test_picture_is_synced_to_disk_before_it_is_renamed(folder, monkeypatch):
    steps = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        steps.append(f"sync {path.relative_to(folder.parent)}" if path.is_dir() else f"sync {path.suffix}")
        real_fsync(descriptor)

    def replace(path, target):
        steps.append(f"name {target.suffix}")
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    Pictures(str(folder)).put(ID, JPEG)
    assert steps == ["sync images", "sync .part", "name .jpg", "sync images/ab"]


def test_full_disk_leaves_no_partial_picture(folder):
    images = Pictures(str(folder))
    images.put(ID, JPEG)
    with (
        files_of_at_most(100_000),
        pytest.raises(RecordsError, match=r"could not be written.*VIBECHECK_DATA"),
    ):
        images.put(ID, b"x" * 200_000)
    with files_of_at_most(100_000), pytest.raises(RecordsError, match="File too large"):
        images.put(OTHER, b"x" * 200_000)
    assert files(folder) == [f"ab/input_{ID}.jpg"]
    assert images.get(ID) == JPEG


def test_unusable_picture_folder_is_reported(tmp_path):
    (tmp_path / "images").write_text("a file is in the way")
    images = Pictures(str(tmp_path / "images"))
    for use in (images.get, images.delete, lambda name: images.put(name, JPEG)):
        with pytest.raises(RecordsError, match=r"(Not a directory|File exists).*VIBECHECK_DATA"):
            use(ID)


@pytest.mark.parametrize(
    ("location", "words"),
    [("s4://bucket", "Protocol not known"), ("dropbox://me:secret@place/folder", "dropbox")],
)
def test_unknown_storage_protocol_is_refused_without_showing_the_password(location, words):
    with pytest.raises(RecordsError, match=words) as caught:
        Pictures(location)
    assert "secret" not in str(caught.value) and "VIBECHECK_IMAGES_URL" in str(caught.value)


def test_check_leaves_nothing_behind(folder):
    assert Pictures(str(folder)).check() == f"{folder} can be written and read."
    assert files(folder) == []


def test_stray_removal_ignores_cached_listings():
    class Remembering(MemoryFileSystem):
        """Keeps listings as the drivers of object stores do."""

        protocol = "remembering"

        def ls(self, path, detail=True, **kwargs):
            files = self.dircache[path] if path in self.dircache else super().ls(path)
            self.dircache[path] = files
            return files if detail else [file["name"] for file in files]

    fsspec.register_implementation("remembering", Remembering, clobber=True)
    images = Pictures(f"remembering://{uuid4().hex}")
    later = datetime.now(UTC) + timedelta(minutes=1)
    for _ in range(2):
        images.put(ID, JPEG)
        images.put("ab" + uuid4().hex[2:], JPEG)
        assert images.remove_strays(later, {ID}.intersection, later) == 1


def test_strays_are_removed_and_the_rest_stays(images):
    images.put(ID, JPEG)
    images.put(OTHER, JPEG)
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert images.remove_strays(later, {ID}.intersection, later) == 1
    assert (images.exists(ID), images.exists(OTHER)) == (True, False)


def test_pictures_of_another_database_stay_until_they_have_expired(images, caplog):
    """The app was started with a wrong database, or a new one that will be replaced by a backup."""
    for number in range(30):
        images.put(f"{number:032x}", JPEG)
    earlier, later = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (-1, 1))
    few = {f"{number:032x}" for number in range(5)}
    assert images.remove_strays(later, few.intersection, earlier) == 0
    assert "25 pictures" in caplog.text and "VIBECHECK_DATABASE_URL" in caplog.text
    many = {f"{number:032x}" for number in range(20)}
    assert images.remove_strays(later, many.intersection, earlier) == 10
    assert images.remove_strays(later, set().intersection, later) == 20


def test_strays_that_are_kept_while_others_are_listed_stay(folder):
    """A restore brought the record of one meanwhile, and a visitor agreed again to keep another."""
    restored, again = "00" + "1" * 30, "00" + "2" * 30
    images = Pictures(str(folder))
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for each in (restored, again, ID, OTHER):
        images.put(each, JPEG)
        os.utime(folder / each[:2] / f"input_{each}.jpg", (hour_ago.timestamp(),) * 2)
    before = hour_ago + timedelta(minutes=30)
    listed, kept = set(), set()

    def look_up(ids):
        if ID in ids and ID not in listed:
            kept.add(restored)
            images.put(again, JPEG)  # its row is still being written
        listed.update(ids)
        return kept.intersection(ids)

    assert images.remove_strays(before, look_up, before) == 2
    assert [images.exists(each) for each in (restored, again, ID, OTHER)] == [True, True, False, False]


def test_a_picture_whose_row_is_still_being_written_is_no_stray(images):
    images.put(ID, JPEG)
    earlier = datetime.now(UTC) - timedelta(minutes=1)
    assert images.remove_strays(earlier, nobody_is_known, earlier) == 0
    assert images.exists(ID)


def test_partial_files_are_removed_as_strays_and_foreign_files_stay(folder):
    images = Pictures(str(folder))
    images.put(ID, JPEG)
    (folder / "ab" / "input_x1y2.part").write_bytes(b"half a fa")
    (folder / "ab" / "holiday.jpg").write_bytes(b"not ours")
    (folder / "notes.txt").write_text("not ours")
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert images.remove_strays(later, {ID}.intersection, later) == 1
    assert files(folder) == ["ab/holiday.jpg", f"ab/input_{ID}.jpg", "notes.txt"]


def test_picture_stored_without_waiting_for_the_disk_can_be_read(tmp_path):
    images = Pictures(str(tmp_path))
    images.put("0f" * 16, b"a face", wait=False)
    assert images.get("0f" * 16) == b"a face"
    later = datetime.now(UTC) + timedelta(hours=1)
    assert images.remove_strays(later, set, later) == 0


def test_a_folder_that_may_not_be_entered_is_reported(folder, monkeypatch):
    def refused(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refused)  # the superuser may enter every folder
    with pytest.raises(PictureStorageError, match=r"Permission denied.*VIBECHECK_IMAGES_URL"):
        Pictures(str(folder)).put(ID, JPEG)
