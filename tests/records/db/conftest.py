"""Databases without tables: here it is tested how they are made."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.databases import new_postgres


@pytest.fixture
def postgres_url(postgres_server: Engine) -> Iterator[str]:
    """A Postgres database without tables."""
    with new_postgres(postgres_server) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'vibecheck.db'}"
