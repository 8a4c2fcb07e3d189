import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.test_cli import vibecheck
from vibecheck import __version__


def test_the_version_is_printed(tmp_path):
    run = vibecheck("--version", cwd=tmp_path)
    assert run.returncode == 0 and run.stdout.strip() == __version__


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_output_in_any_encoding_does_not_fail(tmp_path, astronaut, encoding):
    Image.fromarray(astronaut).save(tmp_path / "Zoë 😀.jpg")
    run = subprocess.run(
        [sys.executable, "-m", "vibecheck", "predict", tmp_path],
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path.cwd())},
    )
    assert run.returncode == 0, run.stderr
    assert b"Happy" in run.stdout and b"\\U0001f600" in run.stdout
