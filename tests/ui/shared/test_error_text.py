"""Errors as pages show them."""

import logging
from pathlib import Path

import pytest

from vibecheck.access.roles import Role
from vibecheck.errors import RecordsError
from vibecheck.ui.access import gate
from vibecheck.ui.shared.error_text import error_text, without_paths


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "The SQLite database /srv/app/data/vibecheck.db is read-only.",
            "The SQLite database vibecheck.db is read-only.",
        ),
        (
            "/srv/models/mine is not a folder: check VIBECHECK_MODEL.",
            "mine is not a folder: check VIBECHECK_MODEL.",
        ),
        (r"C:\Users\ann\data\vibecheck.db: locked", "vibecheck.db: locked"),
        ("at '/srv/data/images' (no space left)", "at 'images' (no space left)"),
        (
            "Open https://vibe.example/a/b or http://localhost:8501.",
            "Open https://vibe.example/a/b or http://localhost:8501.",
        ),
        ("write it as sqlite:////folder/file.db.", "write it as sqlite:////folder/file.db."),
        ("either/or, 3/4, and /data alone", "either/or, 3/4, and /data alone"),
    ],
)
def test_path_is_shortened_to_its_last_part(text, shown):
    assert without_paths(text) == shown


def test_paths_with_spaces_are_shortened_too(monkeypatch, tmp_path):
    folder = tmp_path / "my data"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert without_paths(f"{folder}/vibecheck.db and {folder}") == "vibecheck.db and my data"


def test_full_error_text_is_shown_to_analysts_and_logged_for_visitors(monkeypatch, caplog):
    error = RecordsError(f"{Path('/srv/app/data/vibecheck.db')} is full.")
    monkeypatch.setattr(gate, "role", lambda: Role.ANALYST)
    assert error_text(error) == str(error)
    monkeypatch.setattr(gate, "role", lambda: Role.VISITOR)
    with caplog.at_level(logging.WARNING):
        assert error_text(error) == "vibecheck.db is full."
    assert str(error) in caplog.text
