"""requirements.lock holds everything that requirements.txt asks for, pinned and with checksums."""

import os
import re
import subprocess
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def wanted() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for text in lines if (line := text.partition("#")[0].strip())]


def locked() -> dict[str, tuple[Requirement, list[str]]]:
    """Each requirement of the lock file, with its options."""
    text = re.sub(r"^#.*\n", "", (ROOT / "requirements.lock").read_text("utf-8"), flags=re.MULTILINE)
    found = {}
    for line in text.replace("\\\n", " ").splitlines():
        requirement, *options = line.split(" --")
        parsed = Requirement(requirement)
        found[canonicalize_name(parsed.name)] = parsed, options
    return found


def pin(requirement: Requirement) -> str:
    (only,) = requirement.specifier
    assert only.operator == "=="
    return only.version


def test_every_requirement_is_locked_within_its_range():
    lock = locked()
    for requirement in wanted():
        found, _ = lock[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin(found)), f"{requirement}: make lock"


def test_every_locked_package_has_one_version_and_checksums():
    lock = locked()
    assert len(lock) > len(wanted())
    for requirement, options in lock.values():
        assert pin(requirement)
        assert options and all(re.fullmatch(r"hash=sha256:[0-9a-f]{64}\s*", option) for option in options)
    assert "://" not in (ROOT / "requirements.lock").read_text("utf-8")


def test_every_requirement_has_an_upper_bound():
    for requirement in wanted():
        assert any(each.operator.startswith("<") for each in requirement.specifier), requirement


def test_torch_is_locked_at_the_version_in_the_makefile():
    (torch,) = re.findall(r"^TORCH \?= torch==(\S+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert pin(locked()["torch"][0]) == torch


def test_packages_are_installed_again_when_something_else_is_asked_for(tmp_path):
    def installs(*asked: str) -> list[str]:
        command = ["make", "-n", "run", f"VENV={tmp_path}", *asked]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return re.findall(r"pip .*install .*?(\S+\.(?:txt|lock)|torch==)", done.stdout)

    (tmp_path / "bin").mkdir()
    for stamp in ("bin/python", ".torch", ".app-requirements.txt"):
        (tmp_path / stamp).touch()
    assert installs() == []
    assert installs("REQUIREMENTS=requirements.lock") == ["requirements.lock"]
    os.utime(tmp_path / ".torch", (0, 0))  # older than a TORCH that changed in the Makefile
    assert "torch==" in installs()
