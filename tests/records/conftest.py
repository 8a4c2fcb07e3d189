"""Both databases, one after the other, for every test that asks for a `store` or a `database_url`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.records.examples import open_store
from vibecheck.records.db.connect import open_database
from vibecheck.records.store import Store
from vibecheck.settings import Settings

# A server on this machine that lets this user in through its socket.
DEFAULT_SERVER = "postgresql+psycopg:///postgres?host=/var/run/postgresql"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Engine]:
    """A database in which schemas may be made; skips where there is no server, and fails in CI."""
    url = os.environ.get("VIBECHECK_TEST_POSTGRES", DEFAULT_SERVER)
    server = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    try:
        server.connect().close()
    except OperationalError as error:
        message = (
            f"no PostgreSQL server at {make_url(url)!r} ({error.orig}). On Debian, as root: apt-get install "
            "postgresql; service postgresql start; runuser -u postgres -- createuser --superuser root. "
            "For another server, set VIBECHECK_TEST_POSTGRES to the URL of a user who may create schemas."
        )
        if os.environ.get("CI"):
            raise pytest.fail.Exception(message, pytrace=False) from None
        pytest.skip(message)
    yield server
    server.dispose()


@contextmanager
def schema(postgres_server: Engine) -> Iterator[str]:
    """The URL of a new schema, which works as an empty database and is made ten times as fast."""
    name = f"vibecheck_test_{uuid4().hex}"
    with postgres_server.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    url = postgres_server.url.update_query_dict({"options": f"-c search_path={name}"})
    yield url.render_as_string(hide_password=False)
    with postgres_server.connect() as connection:
        connection.execute(text("SET lock_timeout = '5s'"))  # rather fail than wait for a lost connection
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))


@pytest.fixture
def postgres_url(postgres_server: Engine) -> Iterator[str]:
    """An empty Postgres database."""
    with schema(postgres_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'vibecheck.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, of each kind in turn."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An open database, of each kind in turn."""
    opened = open_database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings that name the database, and a folder for pictures."""
    return Settings(data=tmp_path, database_url=database_url)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An empty store."""
    opened = open_store(settings)
    yield opened
    opened.close()
