"""The process that makes the dashboard's report."""

import sys
from types import SimpleNamespace

import pytest

from vibecheck.records.stats.results import Scope
from vibecheck.ui.dashboard import report_download

WEEK = SimpleNamespace(scope=Scope(), period="week", step="week")


def answer_of(script: str, tmp_path, monkeypatch) -> str:
    """What is downloaded if Python, as it is called for the report, is this shell script."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))
    return report_download.report_of(WEEK).decode()


def test_report_process_gets_no_secrets_and_its_error_is_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("SPOTIPY_CLIENT_SECRET", "hush")
    monkeypatch.setenv("VIBECHECK_DATA", str(tmp_path))
    # Only the end of what it writes is shown.
    look = 'env | grep hush >&2; echo "VIBECHECK_DATA=$VIBECHECK_DATA" >&2'
    told = answer_of(f"echo '<b>'; {look}; echo '<script>' >&2; exit 1", tmp_path, monkeypatch)
    assert told.startswith("<p>The report could not be made: ")
    assert f"VIBECHECK_DATA={tmp_path}" in told and "hush" not in told
    assert "&lt;script&gt;" in told and "<script>" not in told


def test_report_process_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(report_download, "TIMEOUT", 0.2)
    told = answer_of("exec sleep 60", tmp_path, monkeypatch)
    assert told == "<p>The report could not be made: it took longer than 0.2 seconds.</p>"


@pytest.mark.parametrize("version", [None, "v-1"])
def test_report_covers_the_scope_shown_on_the_page(tmp_path, monkeypatch, version):
    monkeypatch.setattr(WEEK, "scope", Scope(model_version=version))
    told = answer_of('while [ "$1" != --out ]; do shift; done; echo "$@" > "$2"', tmp_path, monkeypatch)
    assert told.split()[2:] == [
        "--period",
        "week",
        "--step",
        "week",
        *(["--model", version] if version else []),
    ]
