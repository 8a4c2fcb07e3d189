"""The report as a download, made in a process of its own: drawing its charts takes 100 MB."""

import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from vibecheck.analytics.overview import Overview
from vibecheck.processes import child
from vibecheck.ui.shared.configuration import settings

TIMEOUT = 120  # s


def report_of(overview: Overview) -> bytes:
    """The report of the scope of an overview, or a page that says why it could not be made."""
    scope = overview.scope
    options = ["--period", overview.period, "--step", overview.step]
    options += ["--model", scope.model_version] if scope.model_version else []
    options += ["--source", scope.source] if scope.source else []

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.html"
        command = [sys.executable, "-m", "vibecheck", "report", "--out", str(out), *options]
        with child.start(command, child.environment(settings()), subprocess.DEVNULL, subprocess.PIPE) as run:
            try:
                _, written = run.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                run.kill()
                written = f"it took longer than {TIMEOUT} seconds.".encode()
        if run.returncode:
            reason = escape(written.decode(errors="replace").strip())
            return f"<p>The report could not be made: {reason}</p>".encode()
        return out.read_bytes()
