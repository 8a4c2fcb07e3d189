"""Which two models python -m finetune judge tries, and where the report goes."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from finetune.commands import app
from finetune.judging.judge_command import compared
from vibecheck.errors import ModelError
from vibecheck.models.registry import Registry
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHIPPED = Manifest.read(EMBEDDED).version


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data=tmp_path / "data", model="embedded")


@pytest.fixture
def champion(settings) -> str:
    registry = Registry.open(settings)
    registry.close()
    return SHIPPED


@pytest.fixture
def other(tmp_path) -> Path:
    folder = tmp_path / "other"
    shutil.copytree(EMBEDDED, folder)
    Manifest.read(EMBEDDED).model_copy(update={"version": "other"}).write(folder)
    return folder


def test_a_folder_is_compared_against_the_champion(settings, champion, other):
    report, folder = compared(settings, str(other), None, None, [])
    assert (report.challenger, report.champion, report.proved) == ("other", champion, False)
    assert folder == settings.data / "trials" / "other" and (folder / "report.html").is_file()


def test_report_is_written_to_the_given_file(settings, champion, other, tmp_path):
    _, folder = compared(settings, str(other), None, tmp_path / "here", [])
    assert folder == tmp_path / "here" and (folder / "report.json").is_file()


def test_model_that_cannot_be_judged_is_refused_with_a_reason(settings, other):
    with pytest.raises(ModelError, match="is not ready on this machine"):
        compared(settings, "unknown", None, None, [])
    with pytest.raises(ModelError, match="is the champion itself"):
        compared(settings, SHIPPED, None, None, [])


def test_a_folder_for_the_report_that_is_a_file_is_refused_before_anything_is_read(other, tmp_path):
    (tmp_path / "out").write_text("in the way")
    done = CliRunner().invoke(app, ["judge", str(other), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2 and "--out" in done.output
