"""The public API, and the wheel that `pip install .` makes."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from PIL import Image

import vibecheck
from vibecheck.errors import ModelError
from vibecheck.vision.classifier import EMBEDDED

ROOT = Path(__file__).parents[1]
FIVE_LINES = """
from vibecheck import Reader
reading = Reader.open().read("face.jpg")
print(reading.mood, reading.confidence, reading.probabilities)
"""


def run(code: str, cwd: Path, **environment: str) -> str:
    """What Python prints that runs `code` in `cwd`, away from the checkout."""
    outside = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "ORT_DISABLE_TELEMETRY")
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=outside | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of what is here."""
    source = tmp_path_factory.mktemp("source")
    for package in ("vibecheck", "finetune"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE", "THIRD_PARTY.md"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", source / "dist", source], check=True)
    (made,) = (source / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Where it is installed, without what it depends on, which the tests' own environment has."""
    there = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*command, there, wheel], check=True)
    return there


def test_every_exported_name_exists():
    assert vibecheck.__all__ == sorted(vibecheck.__all__)
    for name in vibecheck.__all__:
        assert getattr(vibecheck, name) is not None
    assert set(vibecheck.__all__) < set(dir(vibecheck)), "a prompt could not complete them"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = vibecheck.Nothing


def test_a_model_is_opened_by_the_name_of_its_folder(tmp_path):
    assert vibecheck.Reader.open(str(EMBEDDED)).classifier.version == "embedded-3"
    with pytest.raises(ModelError, match="There is no model folder nowhere"):
        vibecheck.Reader.open("nowhere")


def test_importing_vibecheck_imports_no_heavy_module():
    heavy = run(
        "import sys, vibecheck; print([m for m in sys.modules if m in ('numpy', 'cv2', 'pydantic')])", ROOT
    )
    assert heavy.strip() == "[]"


def test_five_lines_of_python_read_a_face(installed, astronaut, tmp_path):
    Image.fromarray(astronaut).save(tmp_path / "face.jpg", quality=95)
    code = FIVE_LINES + "import vibecheck; print(vibecheck.__file__)"
    mood, confidence, *_, where = run(code, tmp_path, PYTHONPATH=str(installed)).split()
    assert mood == "happy"
    assert 0.5 < float(confidence) <= 1
    assert where.startswith(str(installed)), "the checkout was imported, not what is installed"


def test_what_the_docstring_shows_works(astronaut, tmp_path):
    Image.fromarray(astronaut).save(tmp_path / "face.jpg")
    shown = [line[4:] for line in vibecheck.__doc__.splitlines() if line.startswith("    ")]
    mood, playlist, count = run("\n".join(shown), tmp_path, PYTHONPATH=str(ROOT)).splitlines()
    assert mood.startswith("happy") and playlist.startswith("https://open.spotify.com/") and count == "0"


def test_reading_a_face_leaves_no_telemetry_in_the_home_folder(astronaut, tmp_path):
    Image.fromarray(astronaut).save(tmp_path / "face.jpg", quality=95)
    home = tmp_path / "home"
    home.mkdir()
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    run(FIVE_LINES, tmp_path, **own)
    assert list(home.rglob("*")) == []


def test_wheel_contains_all_data_files(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    files = [
        path for path in (ROOT / "vibecheck").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert {str(path.relative_to(ROOT)) for path in files} <= packed
    assert str((EMBEDDED / "model.onnx").relative_to(ROOT)) in packed


def test_the_command_line_is_installed_and_the_requirements_are_those_of_the_app(installed):
    (metadata,) = installed.glob("vibecheck-*.dist-info")
    distribution = Distribution.at(metadata)
    assert [(each.name, each.value) for each in distribution.entry_points] == [
        ("vibecheck", "vibecheck.__main__:main")
    ]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    named = {line.split("#")[0].strip() for line in lines} - {""}
    assert len(distribution.requires or ()) == len(named)
    command = [sys.executable, installed / "bin" / "vibecheck", "--help"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(installed)}, capture_output=True, text=True
    )
    assert "predict" in done.stdout, done.stderr
