"""The report as a download, made in a process of its own: drawing its charts takes 100 MB."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from vibecheck.analytics.overview import Overview

TIMEOUT = 120


def report_of(overview: Overview) -> Callable[[], bytes]:
    """A function that makes the report of a scope, called once it is asked for."""
    scope = overview.scope
    options = ["--period", overview.period, "--step", overview.step]
    options += ["--model", scope.model_version] if scope.model_version else []
    options += ["--source", scope.source] if scope.source else []

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "report.html"
            command = [sys.executable, "-m", "vibecheck", "report", "--out", str(out), *options]
            run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
            if run.returncode:
                return f"<p>The report could not be made: {run.stderr.strip()}</p>".encode()
            return out.read_bytes()

    return make
