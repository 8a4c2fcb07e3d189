import json
import shutil
from pathlib import Path

import pytest

from vibecheck.errors import ModelError
from vibecheck.export.build import build
from vibecheck.models.installed import InstalledModels, content_of
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.model_source import ModelFolder


def a_folder(folder: Path, version: str) -> Path:
    shutil.copytree(EMBEDDED, folder)
    Manifest.read(folder).model_copy(update={"version": version}).write(folder)
    return folder


def made(settings: Settings, folder: Path) -> Path:
    return build(settings, ModelFolder(folder), lambda *_: None).folder


def edit(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"edited": True}))


def test_an_edited_folder_does_not_replace_the_version_that_was_built_from_it(tmp_path):
    settings, folder = Settings(data=tmp_path / "data"), a_folder(tmp_path / "mood", "mood-1")
    installed = InstalledModels(settings.data)
    with installed.building("mood-1") as part:
        shutil.copytree(folder, part, dirs_exist_ok=True)
        there = installed.place("mood-1", part, {"content": content_of(folder)})
    assert made(settings, folder) == there.folder
    edit(folder)
    before = (there.folder / "report.json").read_bytes()
    with pytest.raises(ModelError, match="mood-1 is the name of another model"):
        made(settings, folder)
    assert (there.folder / "report.json").read_bytes() == before


def test_no_other_folder_takes_the_name_of_the_embedded_model(tmp_path):
    folder = a_folder(tmp_path / "mood", Manifest.read(EMBEDDED).version)
    edit(folder)
    with pytest.raises(ModelError, match="is the name of another model"):
        made(Settings(data=tmp_path / "data"), folder)
