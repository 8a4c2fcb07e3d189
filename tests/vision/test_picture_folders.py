import os
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from vibecheck.vision.picture_folders import is_picture, is_video, left_out_sentence, pictures_in


@pytest.fixture
def phone(tmp_path):
    """What a phone's export looks like after it went over a Mac and a file server."""
    for name in (
        "b.JPG", "a.heic", "scan.tif", "web.avif", "raw.CR3", "new.jxl", "sub/c.webp",
        ".DS_Store", "._b.JPG", "__MACOSX/b.JPG", ".thumbnails/b.jpg", ".trashed-1-b.jpg", "Thumbs.db",
        "clip.MOV", "notes.txt", "list.json",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    Image.new("RGB", (20, 20)).save(tmp_path / "named-wrongly.dat", "PNG")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_pictures_are_found_by_name_or_content_and_the_rest_is_counted(phone):
    left_out = Counter()
    found = [str(path.relative_to(phone)) for path in pictures_in(phone, left_out)]
    assert found == [
        "a.heic", "b.JPG", "named-wrongly.dat", "new.jxl", "raw.CR3", "scan.tif", "sub/c.webp", "web.avif",
    ]  # fmt: skip
    assert left_out == {"hidden": 6, "video": 1}
    assert left_out_sentence(left_out) == "Left out: 6 hidden files and 1 video."
    assert left_out_sentence(Counter()) == ""


def test_pictures_in_a_hidden_folder_are_found(tmp_path):
    folder = tmp_path / ".cache"
    folder.mkdir()
    (folder / "a.jpg").touch()
    assert len(list(pictures_in(folder, Counter()))) == 1


def test_file_content_takes_precedence_over_its_extension(tmp_path):
    (tmp_path / "clip.jpg").write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2")
    Image.new("RGB", (20, 20)).save(tmp_path / "still.mp4", "PNG")
    left_out = Counter()
    assert [path.name for path in pictures_in(tmp_path, left_out)] == ["still.mp4"]
    assert left_out == {"video": 1} and is_video(tmp_path / "clip.jpg")


def test_what_cannot_be_listed_is_found_too(tmp_path, monkeypatch):
    """Left out without a word, its pictures would seem to have been read."""
    Image.new("RGB", (20, 20)).save(tmp_path / "a.jpg")
    for name in ("locked", ".hidden"):
        (tmp_path / name).mkdir()
    scandir = os.scandir

    def refuse(path):
        if Path(path).name in ("locked", ".hidden"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # the superuser may read everything
    left_out = Counter()
    assert list(pictures_in(tmp_path, left_out)) == [tmp_path / "a.jpg", tmp_path / "locked"]
    assert left_out == {"hidden": 1}
    for file in (tmp_path / "a.jpg", tmp_path / "missing.jpg", tmp_path / "missing.mp4"):
        assert list(pictures_in(file, left_out)) == [file]


def test_pipe_does_not_block(phone):
    assert not is_picture(phone / "pipe")
