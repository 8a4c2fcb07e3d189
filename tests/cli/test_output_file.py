import os
import threading
from pathlib import Path

import pytest

from vibecheck.cli.output_file import check_output, output_file
from vibecheck.errors import VibeCheckError


def write(path, content=b"new") -> None:
    with output_file(path) as file:
        file.write(content)


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old and longer")
    path.chmod(0o600)
    write(path)
    assert path.read_bytes() == b"new" and path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_symlink_is_kept_and_its_target_is_written(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "out")
    write(link)
    assert link.is_symlink() and (tmp_path / "real" / "out").read_bytes() == b"new"


def test_a_pipe_is_written_to(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join(10)
    assert got == [b"new"] and pipe.is_fifo()


def test_device_is_written_to_and_not_replaced():
    write(Path("/dev/null"))
    with pytest.raises(VibeCheckError, match="/dev/full cannot be written: No space left"):
        write(Path("/dev/full"))


def test_missing_folder_and_folder_as_target_are_reported(tmp_path):
    with pytest.raises(VibeCheckError, match=r"there is no folder .*none\. Make it first"):
        write(tmp_path / "none" / "out")
    with pytest.raises(VibeCheckError, match=r"is a folder\. Name a file in it"):
        write(tmp_path)


def test_error_while_writing_keeps_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(VibeCheckError, match="cannot be written: No space left"), output_file(path) as file:
        file.write(b"half")
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_the_check_before_long_work_refuses_what_cannot_be_written_and_changes_nothing(tmp_path):
    with pytest.raises(VibeCheckError, match=r"there is no folder .*none\. Make it first"):
        check_output(tmp_path / "none" / "out")
    old = tmp_path / "old"
    old.write_bytes(b"old")
    check_output(old)
    check_output(tmp_path / "new")
    assert list(tmp_path.iterdir()) == [old] and old.read_bytes() == b"old"
