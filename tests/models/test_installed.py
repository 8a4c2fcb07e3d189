import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from vibecheck.models.installed import RUN_FILES, InstalledModels

VERSION = "owner/name@0123456789ab"


@pytest.fixture
def installed(tmp_path) -> InstalledModels:
    return InstalledModels(tmp_path)


def put(installed: InstalledModels, version: str = VERSION, text: str = "one"):
    with installed.building(version) as part:
        for name in (*RUN_FILES, "model.safetensors"):
            (part / name).write_text(f"{text} {name}")
        return installed.place(version, part, {"candidate": "fp32"})


def test_placed_model_is_found(installed, tmp_path):
    assert installed.find(VERSION) is None
    placed = put(installed)
    assert installed.find(VERSION) == placed
    assert placed.folder.parent == tmp_path / "models"
    assert placed.report["candidate"] == "fp32" and placed.report["version"] == VERSION
    assert {path.name for path in placed.folder.iterdir()} == {*RUN_FILES, "model.safetensors", "report.json"}


@pytest.mark.parametrize("name", [*RUN_FILES, "report.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "changed"])
def test_damaged_model_file_is_detected(installed, name, damage):
    path = put(installed).folder / name
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-3] if damage == "cut" else whole[:-2] + b"?!")
    assert installed.find(VERSION) is None
    put(installed, text="two")
    assert installed.find(VERSION) is not None


def test_undamaged_weights_can_be_used_without_the_rest(installed):
    folder = put(installed).folder
    (folder / "model.onnx").write_text("damaged")
    assert installed.find(VERSION) is None
    assert installed.source_folder(VERSION) == folder
    (folder / "model.safetensors").write_text("damaged")
    assert installed.source_folder(VERSION) is None


def test_a_report_of_another_version_or_form_does_not_count(installed):
    folder = put(installed).folder
    report = json.loads((folder / "report.json").read_text())
    for change in ({"version": "other"}, {"format": 99}, {"files": []}):
        (folder / "report.json").write_text(json.dumps(report | change))
        assert installed.find(VERSION) is None
    (folder / "report.json").write_text("[]")
    assert installed.find(VERSION) is None


@pytest.mark.parametrize("version", ["..", ".", "../../x", "a/../b", "a b", ".hidden", "a%2Fb", "a/b"])
def test_every_version_has_its_own_folder_inside_the_data_folder(installed, tmp_path, version):
    folder = installed.folder(version)
    assert folder.parent == tmp_path / "models" and not folder.name.startswith(".")
    assert folder.resolve() == folder
    others = {"a/b", "a%2Fb", "a%252Fb"} - {version}
    assert all(installed.folder(other) != folder for other in others)


def _die_while_building(data: Path, ready) -> None:
    installed = InstalledModels(data)
    with installed.building(VERSION) as part:
        (part / "half").write_text("written")
        ready.set()
        time.sleep(60)


def test_killed_build_does_not_block_the_next_one(installed, tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_die_while_building, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert installed.find(VERSION) is None
    placed = put(installed)
    assert not (placed.folder / "half").exists()
    assert [path.name for path in placed.folder.parent.iterdir() if path.is_dir()] == [placed.folder.name]


def test_failed_build_keeps_the_model_that_was_there(installed):
    placed = put(installed)
    with pytest.raises(RuntimeError), installed.building(VERSION) as part:
        (part / "model.onnx").write_text("half")
        raise RuntimeError
    assert installed.find(VERSION) == placed
