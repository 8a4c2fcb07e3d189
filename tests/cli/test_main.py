import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmarks.__main__ import app as benchmarks
from tests.cli.test_cli import vibecheck
from vibecheck import __version__


def test_the_version_is_printed(tmp_path):
    run = vibecheck("--version", cwd=tmp_path)
    assert run.returncode == 0 and run.stdout.strip() == __version__


def test_output_that_the_encoding_lacks_does_not_fail(tmp_path, astronaut):
    Image.fromarray(astronaut).save(tmp_path / "Zoë 😀.jpg")
    run = subprocess.run(
        [sys.executable, "-m", "vibecheck", "predict", tmp_path],
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path.cwd())},
    )
    assert run.returncode == 0, run.stderr
    assert b"Happy" in run.stdout and b"\\U0001f600" in run.stdout


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_output_does_not_fail_a_command(tmp_path, astronaut, closed):
    Image.fromarray(astronaut).save(tmp_path / "face.jpg")
    run = in_shell(f"{sys.executable} -m vibecheck predict face.jpg {closed}>&-", tmp_path)
    assert (run.returncode, run.stderr) == (0, "") and ("Happy" in run.stdout) == (closed == "2")


def test_full_disk_and_text_in_another_encoding_are_reported_in_one_sentence(tmp_path):
    full = in_shell(f"{sys.executable} -m vibecheck models list >/dev/full", tmp_path)
    text = in_shell(f"{sys.executable} -m vibecheck models promote $'caf\\xe9'", tmp_path)
    assert (full.returncode, text.returncode) == (1, 1)
    assert full.stderr.strip() == "The disk is full: free some space, and give the command again."
    assert text.stderr.strip() == "'caf\\udce9' is not text in UTF-8."


def test_wrong_arguments_of_a_benchmark_are_reported_without_a_traceback(tmp_path):
    missing = in_shell(f"{sys.executable} -m benchmarks shadow --model nowhere", tmp_path)
    assert missing.returncode == 1
    assert missing.stderr.strip() == "nowhere cannot be used: No such file or directory."
    for sizes in ("-5", "0", "1,x", ""):
        found = CliRunner().invoke(benchmarks, ["live", "--visitors", f"{sizes},"])
        assert found.exit_code == 2 and "positive whole numbers" in found.output


@pytest.mark.parametrize("command", ["vibecheck predict ''", "vibecheck report --out=", "finetune judge ''"])
def test_an_empty_argument_is_refused(tmp_path, astronaut, command):
    Image.fromarray(astronaut).save(tmp_path / "face.jpg")
    run = in_shell(f"{sys.executable} -m {command}", tmp_path)
    assert run.returncode == 1 and run.stderr.startswith("An argument is empty.") and not run.stdout


def test_a_command_in_a_deleted_folder_is_reported_in_one_sentence(tmp_path):
    gone = (
        f"mkdir gone && cd gone && rmdir ../gone && VIBECHECK_DATA=data {sys.executable} -m vibecheck stats"
    )
    run = in_shell(gone, tmp_path)
    assert run.returncode == 1 and run.stderr.startswith("The current folder was deleted: ")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "name"), [("-m vibecheck", "python -m vibecheck"), ("vibecheck", "vibecheck")]
)
def test_help_calls_the_command_as_it_was_called(tmp_path, command, name):
    (tmp_path / "vibecheck").write_text("from vibecheck.__main__ import main\nmain()\n")
    shown = in_shell(f"PYTHONSAFEPATH=1 {sys.executable} {command} stats -h", tmp_path)
    assert f"Usage: {name} stats" in shown.stdout, shown.stderr


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("program", ["vibecheck", "finetune"])
def test_ctrl_c_while_a_program_is_imported_prints_no_traceback(tmp_path, program, ignored):
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nexit(7)\n")
    run = subprocess.run(
        [sys.executable, "-m", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL),
    )
    assert (run.returncode, run.stderr) == (7 if ignored else -signal.SIGINT, "")


def test_ctrl_c_while_a_command_loads_a_library_prints_no_traceback(tmp_path, astronaut):
    Image.fromarray(astronaut).save(tmp_path / "face.jpg")
    failing = "raise ImportError('initialization failed') from KeyboardInterrupt()"
    (tmp_path / "onnxruntime.py").write_text(failing)
    run = in_shell(f"{sys.executable} -m vibecheck predict face.jpg", tmp_path)
    assert (run.returncode, run.stderr) == (1, "Aborted!\n")


def in_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path.cwd()), "VIBECHECK_DATA": str(folder / "data")},
    )
