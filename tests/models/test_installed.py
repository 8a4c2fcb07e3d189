import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from vibecheck.models.installed import RUN_FILES, Shelf

VERSION = "owner/name@0123456789ab"


@pytest.fixture
def shelf(tmp_path) -> Shelf:
    return Shelf(tmp_path)


def put(shelf: Shelf, version: str = VERSION, text: str = "one"):
    with shelf.building(version) as part:
        for name in (*RUN_FILES, "model.safetensors"):
            (part / name).write_text(f"{text} {name}")
        return shelf.place(version, part, {"candidate": "fp32"})


def test_placed_model_is_found(shelf, tmp_path):
    assert shelf.find(VERSION) is None and shelf.versions() == []
    placed = put(shelf)
    assert shelf.find(VERSION) == placed
    assert placed.folder.parent == tmp_path / "models"
    assert placed.report["candidate"] == "fp32" and placed.report["version"] == VERSION
    assert shelf.versions() == [VERSION]
    assert {path.name for path in placed.folder.iterdir()} == {*RUN_FILES, "model.safetensors", "report.json"}


@pytest.mark.parametrize("name", [*RUN_FILES, "report.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "changed"])
def test_damaged_model_file_is_detected(shelf, name, damage):
    path = put(shelf).folder / name
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-3] if damage == "cut" else whole[:-2] + b"?!")
    assert shelf.find(VERSION) is None
    put(shelf, text="two")
    assert shelf.find(VERSION) is not None


def test_undamaged_weights_can_be_used_without_the_rest(shelf):
    folder = put(shelf).folder
    (folder / "model.onnx").write_text("damaged")
    assert shelf.find(VERSION) is None
    assert shelf.material(VERSION) == folder
    (folder / "model.safetensors").write_text("damaged")
    assert shelf.material(VERSION) is None


def test_a_report_of_another_version_or_form_does_not_count(shelf):
    folder = put(shelf).folder
    report = json.loads((folder / "report.json").read_text())
    for change in ({"version": "other"}, {"format": 99}, {"files": []}):
        (folder / "report.json").write_text(json.dumps(report | change))
        assert shelf.find(VERSION) is None
    (folder / "report.json").write_text("[]")
    assert shelf.find(VERSION) is None


@pytest.mark.parametrize("version", ["..", ".", "../../x", "a/../b", "a b", ".hidden", "a%2Fb", "a/b"])
def test_every_version_has_its_own_folder_inside_the_shelf(shelf, tmp_path, version):
    folder = shelf.folder(version)
    assert folder.parent == tmp_path / "models" and not folder.name.startswith(".")
    assert folder.resolve() == folder
    others = {"a/b", "a%2Fb", "a%252Fb"} - {version}
    assert all(shelf.folder(other) != folder for other in others)


def _die_while_building(data: Path, ready) -> None:
    shelf = Shelf(data)
    with shelf.building(VERSION) as part:
        (part / "half").write_text("written")
        ready.set()
        time.sleep(60)


def test_killed_build_does_not_block_the_next_one(shelf, tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_die_while_building, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert shelf.find(VERSION) is None and shelf.versions() == []
    placed = put(shelf)
    assert not (placed.folder / "half").exists()
    assert [path.name for path in placed.folder.parent.iterdir() if path.is_dir()] == [placed.folder.name]


def test_failed_build_keeps_the_model_that_was_there(shelf):
    placed = put(shelf)
    with pytest.raises(RuntimeError), shelf.building(VERSION) as part:
        (part / "model.onnx").write_text("half")
        raise RuntimeError
    assert shelf.find(VERSION) == placed
