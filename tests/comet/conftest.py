"""A stand-in for Comet, the settings that lead there, and a store."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.standins.comet import CometStandin, comet_standin
from vibecheck.comet.sender import Pace
from vibecheck.settings import Settings

API_KEY = "hunter2"

# As in production, but a thousand times as fast.
FAST = Pace(poll=0.02, first_pause=0.01, longest_pause=0.05, confirm_after=timedelta(0))


# For tests that ask for more of the database than an order of rows, which tests/records look after.
both_databases = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty SQLite database, or the one that the test names."""
    return request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")


@pytest.fixture(autouse=True)
def no_full_hour_in_the_middle() -> None:
    """Lets a full hour pass before the test: roll-ups are due then, and would join what the test sends."""
    left = 3600 - time.time() % 3600
    if left < 15:
        time.sleep(left)


@pytest.fixture
def comet() -> Iterator[CometStandin]:
    """A Comet server of the test's own."""
    with comet_standin() as running:
        yield running


@pytest.fixture
def settings(database_url: str, tmp_path: Path, comet: CometStandin, monkeypatch) -> Settings:
    """Settings that name the database, a folder for pictures, and the stand-in."""
    for name in ("COMET_WORKSPACE", "COMET_PROJECT_NAME", "COMET_URL_OVERRIDE", "COMET_API_KEY"):
        monkeypatch.setenv(name, "")  # what the SDK reads from the environment is reset after the test
    return Settings(
        data=tmp_path / "data",
        database_url=database_url,
        comet_api_key=API_KEY,
        comet_url_override=f"{comet.url}/clientlib/",
    )
