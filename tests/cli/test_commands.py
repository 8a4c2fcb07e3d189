"""python -m vibecheck import and demo."""

import json
import shlex
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from PIL import Image

from tests.cli.test_cli import vibecheck
from tests.standins.models import install
from vibecheck.models.registry import Registry
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest


@pytest.fixture
def labelled(tmp_path, astronaut, empty_room):
    """A folder with a smile, a cup, and a list of labels that names a third."""
    Image.fromarray(astronaut).save(tmp_path / "smile.jpg")
    Image.fromarray(empty_room).save(tmp_path / "cup.jpg")
    text = "path,label,visitor\nsmile.jpg,happiness,Ann\ncup.jpg,sad,Ann\n\x1b[31m[red].jpg,sad,Ann\n"
    (tmp_path / "labels.csv").write_text(text)
    return tmp_path


def test_import_reports_the_outcome_of_each_line(labelled):
    run = vibecheck("import", "labels.csv", "--json", cwd=labelled)
    assert run.returncode == 1, run.stderr
    told = json.loads(run.stdout)
    assert (told["new"], told["known"], told["relabelled"], told["agreed"]) == (1, 0, 0, 1)
    assert [(each["row"], "path" in each, bool(each["reason"])) for each in told["refused"]] == [
        (3, True, True),
        (4, True, True),
    ]
    with sqlite3.connect(labelled / "data" / "vibecheck.db") as database:
        found = database.execute(
            "SELECT p.source, mood, f.label, f.source, visitor "
            "FROM predictions p JOIN feedback f ON p.id = f.prediction_id"
        ).fetchall()
    database.close()
    assert [row[:4] for row in found] == [("import", "happy", "happy", "import")]
    assert "Ann" not in found[0][4]


def test_import_uses_the_embedded_model_until_the_champion_is_installed(labelled):
    settings = Settings(data=labelled / "data")
    with closing(Registry.open(settings)) as registry:
        now = datetime.now(UTC)
        registry.register("elsewhere-1", "a test", "gone", {}, now)
        registry.begin("elsewhere-1", "a test", now)
        run = vibecheck("import", "labels.csv", "--json", cwd=labelled)
        assert json.loads(run.stdout)["model"] == Manifest.read(EMBEDDED).version
        assert "elsewhere-1 is not ready" in run.stderr and "Meanwhile the embedded model" in run.stderr
        install(settings, registry, "better-1")
        registry.promote("better-1", "a test", now, override=True)
    run = vibecheck("import", "labels.csv", "--json", cwd=labelled)
    assert json.loads(run.stdout)["model"] == "better-1" and run.stderr == ""


def test_import_prints_a_summary_and_stores_no_picture_twice(labelled):
    first = vibecheck("import", "labels.csv", cwd=labelled)
    assert "1 picture imported, 2 refused" in first.stdout and "100%" in first.stdout
    assert "[red].jpg" in first.stdout and "\x1b" not in first.stdout
    second = vibecheck("import", "labels.csv", cwd=labelled)
    assert "0 pictures imported, 1 already there, 2 refused" in second.stdout
    assert second.returncode == 1 and "Traceback" not in first.stderr + second.stderr


def test_import_of_a_folder_of_moods_succeeds(labelled, astronaut):
    (labelled / "moods" / "happy").mkdir(parents=True)
    Image.fromarray(astronaut).save(labelled / "moods" / "happy" / "1.png")
    run = vibecheck("import", "moods", cwd=labelled)
    assert run.returncode == 0 and "1 picture imported, 0 refused" in run.stdout


def test_missing_label_file_is_reported(labelled):
    run = vibecheck("import", "missing.csv", cwd=labelled)
    assert run.returncode == 1 and "no file missing.csv" in run.stderr and "Traceback" not in run.stderr
    run = vibecheck("import", "labels.csv", "--pictures", "nowhere", cwd=labelled)
    assert run.returncode == 2 and "'nowhere' does not exist" in run.stderr


@pytest.mark.slow
def test_demo_is_created_in_its_own_folder_and_refuses_imports(labelled):
    arguments = (
        "demo",
        "--out",
        "made-up",
        "--predictions",
        "50",
        "--pictures",
        "3",
        "--until",
        "2026-11-22T12:00:00Z",
    )
    run = vibecheck(*arguments, cwd=labelled)
    assert run.returncode == 0, run.stderr
    assert "50 predictions" in run.stdout and "VIBECHECK_DATA=made-up" in run.stdout
    assert "--until 2026-11-22T12:00:00+00:00" in (labelled / "made-up" / "DEMO").read_text()
    again = vibecheck(*arguments, cwd=labelled)
    assert again.returncode == 1 and "--replace" in again.stderr
    mixed = vibecheck("import", "labels.csv", cwd=labelled, VIBECHECK_DATA="made-up")
    assert mixed.returncode == 1 and "synthetic" in mixed.stderr and "Traceback" not in mixed.stderr


def test_the_demo_says_how_it_is_opened_beside_a_database_and_a_storage_of_its_own(labelled):
    real = {"VIBECHECK_DATABASE_URL": f"sqlite:///{labelled}/real.db", "VIBECHECK_IMAGES_URL": "real"}
    run = vibecheck("demo", "--out", "made up", "--predictions", "5", "--pictures", "0", cwd=labelled, **real)
    assert run.returncode == 0, run.stderr
    (line,) = (line for line in run.stdout.splitlines() if line.startswith("To see it: "))
    told = dict(word.split("=", 1) for word in shlex.split(line)[3:6])
    seen = vibecheck("doctor", cwd=labelled, **real | told)
    assert "5 predictions" in seen.stdout and "real" not in seen.stdout


def test_invalid_until_date_is_reported(tmp_path):
    run = vibecheck("demo", "--out", "made-up", "--until", "tomorrow", cwd=tmp_path)
    assert run.returncode == 2 and "--until" in run.stderr and "Traceback" not in run.stderr
    assert not (tmp_path / "made-up").exists()
