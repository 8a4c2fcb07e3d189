"""The command line, as a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vibecheck.emotions import NAMES

KEYS = {"path", "face", "mood", "confidence", "probabilities", "model", "error"}


def vibecheck(*arguments, cwd: Path, **environment) -> subprocess.CompletedProcess:
    root = str(Path(__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "vibecheck", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": root, "NO_COLOR": "1", "COLUMNS": "160"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def lines(run: subprocess.CompletedProcess) -> list[dict]:
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture
def pictures(tmp_path, astronaut, empty_room) -> Path:
    folder = tmp_path / "pictures"
    (folder / "inner").mkdir(parents=True)
    Image.fromarray(astronaut).save(folder / "a.jpg")
    Image.fromarray(empty_room).save(folder / "inner" / "b.png")
    (folder / "notes.txt").write_text("not looked at")
    return folder


def test_a_folder_as_json(pictures):
    run = vibecheck("predict", "--json", pictures, cwd=pictures)
    assert run.returncode == 0, run.stderr
    happy, nobody = lines(run)
    assert set(happy) == set(nobody) == KEYS
    assert happy["path"] == str(pictures / "a.jpg")
    assert happy["mood"] == "happy" and happy["error"] is None
    assert tuple(happy["probabilities"]) == NAMES
    assert sum(happy["probabilities"].values()) == pytest.approx(1)
    assert happy["confidence"] == happy["probabilities"]["happy"]
    assert set(happy["face"]) == {"x", "y", "width", "height"}
    assert happy["model"] == "embedded-1"
    assert nobody["error"] and {nobody[key] for key in KEYS - {"path", "error", "probabilities"}} == {None}


def test_what_cannot_be_read_is_an_error_among_the_rest(pictures):
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff garbage")
    run = vibecheck("predict", "--json", pictures, pictures / "missing.jpg", cwd=pictures)
    assert run.returncode == 1
    by_name = {Path(line["path"]).name: line for line in lines(run)}
    assert by_name["a.jpg"]["mood"] == "happy"
    for name in ("broken.jpg", "missing.jpg"):
        assert by_name[name]["mood"] is None and name in by_name[name]["error"]
    assert "Traceback" not in run.stderr


def test_face_crops_are_taken_as_they_are(tmp_path, astronaut, detector):
    face = detector.find(astronaut)[0]
    x, y, side = int(face.x), int(face.y), int(face.side)
    Image.fromarray(astronaut[y : y + side, x : x + side]).resize((48, 48)).convert("L").save(
        tmp_path / "face.png"
    )
    run = vibecheck("predict", "--json", "--no-detect", "face.png", cwd=tmp_path)
    (line,) = lines(run)
    assert line["mood"] == "happy" and line["face"] is None and line["error"] is None


def test_a_table_for_people(pictures):
    run = vibecheck("predict", "a.jpg", "inner", cwd=pictures)
    assert run.returncode == 0
    assert "Happy" in run.stdout and "No face" in run.stdout
    assert "\x1b" not in run.stdout


def test_an_empty_folder_is_said(tmp_path):
    run = vibecheck("predict", "--json", tmp_path, cwd=tmp_path)
    assert run.returncode == 1 and run.stdout == ""
    assert "no pictures" in run.stderr


def test_predicting_imports_neither_torch_nor_streamlit(pictures):
    code = (
        "import sys; from vibecheck.cli import app\n"
        "try: app(['predict', '--json', 'a.jpg'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'streamlit', 'comet_ml'} & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], cwd=pictures, env=environment, check=True)


def test_a_setting_that_cannot_be_used_is_a_sentence(pictures):
    run = vibecheck("predict", "a.jpg", cwd=pictures, VIBECHECK_THREADS="many")
    assert run.returncode == 1
    assert "VIBECHECK_THREADS" in run.stderr and "Traceback" not in run.stderr


def test_the_doctor_finds_a_new_installation_well(tmp_path):
    run = vibecheck("doctor", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    for part in ("model", "face detector", "records", "pictures", "Spotify", "Comet", "camera relay"):
        assert part in run.stdout
    for setting in ("SPOTIPY_CLIENT_ID", "COMET_API_KEY", "CLOUDFLARE_TURN_KEY_ID"):
        assert setting in run.stdout


def test_the_doctor_says_what_to_set_when_something_needed_is_broken(tmp_path):
    (tmp_path / "file").write_text("in the way")
    run = vibecheck("doctor", cwd=tmp_path, VIBECHECK_DATA=str(tmp_path / "file"))
    assert run.returncode == 1
    assert "VIBECHECK_DATA" in run.stdout and "Traceback" not in run.stdout + run.stderr


def test_the_doctor_says_when_comet_cannot_be_reached_or_refuses(tmp_path):
    from tests.standins.http import serving

    run = vibecheck(
        "doctor", cwd=tmp_path, COMET_API_KEY="k", COMET_URL_OVERRIDE="http://127.0.0.1:9/clientlib/"
    )
    assert run.returncode == 0, "Comet is never needed"
    assert "Comet cannot be reached" in run.stdout
    with serving(lambda asked: (401, {"msg": "no", "sdk_error_code": 90})) as standin:
        url = f"{standin.url}/clientlib/"
        run = vibecheck("doctor", cwd=tmp_path, COMET_API_KEY="k", COMET_URL_OVERRIDE=url)
    assert "COMET_API_KEY" in run.stdout and "Traceback" not in run.stdout + run.stderr


def test_compiling_says_how_near_it_came_and_refuses_in_a_sentence(tmp_path):
    from vibecheck.classifier import EMBEDDED

    shutil.copytree(EMBEDDED, tmp_path / "model", ignore=shutil.ignore_patterns("model.onnx"))
    run = vibecheck("compile", "model", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "model" / "model.onnx").is_file() and "PyTorch" in run.stdout
    (tmp_path / "empty").mkdir()
    run = vibecheck("compile", "empty", cwd=tmp_path)
    assert run.returncode == 1
    assert "config.json" in run.stderr and "Traceback" not in run.stderr


def test_help_names_every_command(tmp_path):
    run = vibecheck("--help", cwd=tmp_path)
    for command in ("predict", "doctor", "compile"):
        assert command in run.stdout


def test_a_long_row_of_pictures_is_read_in_order(tmp_path):
    for i in range(30):
        Image.fromarray(np.full((40, 40), i * 8, np.uint8)).save(tmp_path / f"{i:02}.png")
    run = vibecheck("predict", "--json", tmp_path, cwd=tmp_path)
    assert [Path(line["path"]).stem for line in lines(run)] == [f"{i:02}" for i in range(30)]


def test_stats_of_a_new_installation_say_what_is_missing(tmp_path):
    run = vibecheck("stats", "--json", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    (found,) = lines(run)
    assert found["accuracy"] is None and found["audits"] == 0 and found["retrain"]["recommended"] is False


def test_the_report_is_one_file(tmp_path):
    run = vibecheck("report", "--out", "report.html", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "How good is it, really?" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_time_that_is_none_is_refused_with_those_that_are(tmp_path):
    run = vibecheck("stats", "--period", "century", cwd=tmp_path)
    assert run.returncode != 0 and "12 weeks" in run.stderr and "Traceback" not in run.stderr
