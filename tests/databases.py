"""Both databases, one after the other, for every test that asks for a `store` or a `database_url`.

Their tables are copied from a template, which is five to twenty times as fast as making them anew.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from vibecheck.models.registry import Registry
from vibecheck.records.db.connect import open_database
from vibecheck.records.store import Store
from vibecheck.settings import Settings

# A server on this machine that lets this user in through its socket.
DEFAULT_SERVER = "postgresql+psycopg:///postgres?host=/var/run/postgresql"


def open_store(settings: Settings) -> Store:
    """The store that these settings name."""
    if not settings.database_url:
        make_tables(settings.data / "vibecheck.db")
    return Store.open(settings.records_url, settings.images_url)


def make_tables(path: Path) -> None:
    """Makes a SQLite file with empty tables, unless there is a file already."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(_empty_tables())


@cache
def _empty_tables() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "vibecheck.db")
        open_database(f"sqlite:///{path}").dispose()
        return path.read_bytes()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Engine]:
    """A server on which databases may be made; skips where there is none, and fails in CI."""
    url = os.environ.get("VIBECHECK_TEST_POSTGRES", DEFAULT_SERVER)
    server = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    try:
        server.connect().close()
    except OperationalError as error:
        message = (
            f"no PostgreSQL server at {make_url(url)!r} ({error.orig}). On Debian, as root: apt-get install "
            "postgresql; service postgresql start; runuser -u postgres -- createuser --superuser root. "
            "For another server, set VIBECHECK_TEST_POSTGRES to the URL of a user who may create databases."
        )
        if os.environ.get("CI"):
            raise pytest.fail.Exception(message, pytrace=False) from None
        pytest.skip(message)
    yield server
    server.dispose()


@contextmanager
def new_postgres(server: Engine, template: str = "template1") -> Iterator[URL]:
    """The URL of a new Postgres database with the tables of the database `template`."""
    name = f"vibecheck_test_{uuid4().hex}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield server.url.set(database=name)
    finally:
        with server.connect() as connection:
            # Ends autovacuum and connections that a failed test has left open.
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Engine) -> Iterator[str]:
    """The name of a Postgres database with empty tables."""
    with new_postgres(postgres_server) as url:
        open_database(url.render_as_string(hide_password=False)).dispose()
        yield str(url.database)


@pytest.fixture
def postgres_url(postgres_server: Engine, postgres_template: str) -> Iterator[str]:
    """A Postgres database with empty tables."""
    with new_postgres(postgres_server, postgres_template) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file with empty tables."""
    make_tables(tmp_path / "vibecheck.db")
    return f"sqlite:///{tmp_path / 'vibecheck.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with empty tables, of each kind in turn."""
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


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    """The models of these settings."""
    with closing(Registry.open(settings)) as opened:
        yield opened
