"""Both databases, one after the other, for every test that asks for a `store` or a `database_url`.

Their tables are copied from a template, which is five to twenty times as fast as making them anew. A Postgres
database is emptied and used again: to make and drop one takes the server longer than most tests.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.util import LRUCache

from vibecheck.models.registry import Registry
from vibecheck.records.db import connect
from vibecheck.records.db.connect import open_database
from vibecheck.records.store import Store
from vibecheck.settings import Settings

T = TypeVar("T")
# A server on this machine that lets this user in through its socket.
DEFAULT_SERVER = "postgresql+psycopg:///postgres?host=/var/run/postgresql"
prepare_sqlite = connect._prepare_sqlite


def share_compiled_statements(dialect: type[Dialect]) -> None:
    """Compile each statement once for all databases of a kind, a quarter of the time of tests of records.

    SQLAlchemy does it once for each engine.
    """
    compiled = LRUCache(2000)
    dialect.engine_created = classmethod(lambda cls, engine: setattr(engine, "_compiled_cache", compiled))
    dialect.__eq__ = lambda self, other: type(self) is type(other)  # the dialect is part of the cache's keys
    dialect.__hash__ = lambda self: hash(type(self))


share_compiled_statements(SQLiteDialect_pysqlite)
share_compiled_statements(PGDialect_psycopg)


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_the_disk() -> Iterator[None]:
    """No test cuts the power, so nothing needs to be on the disk: half the time of tests that add records."""

    def prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        prepare_sqlite(connection, record)
        connection.execute("PRAGMA synchronous = OFF")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connect, "_prepare_sqlite", prepare)
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


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
    name = create(server, template)
    try:
        yield server.url.set(database=name)
    finally:
        drop(server, name)


def new_name() -> str:
    """A name that no database has."""
    return f"vibecheck_test_{uuid4().hex}"


def create(server: Engine, template: str) -> str:
    """Copy the database `template`; returns the name of the copy."""
    name = new_name()
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    return name


def drop(server: Engine, name: str) -> None:
    """Drop a database, with the connections that autovacuum or a failed test has left open."""
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Engine) -> Iterator[str]:
    """The name of a Postgres database with empty tables."""
    with new_postgres(postgres_server) as url:
        open_database(url.render_as_string(hide_password=False)).dispose()
        yield str(url.database)


# Everything in a database that a test could have changed and that emptying its tables does not undo.
_SCHEMA = text("""
    SELECT kind || ' ' || name FROM (
        SELECT 'relation' AS kind, concat_ws(' ', relname, relkind, reloptions, relacl) AS name
            FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT 'column', concat_ws(' ', attrelid::regclass, attnum, attname, atttypid, attnotnull)
            FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
            WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT 'constraint', concat_ws(' ', conrelid::regclass, conname)
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT 'trigger', concat_ws(' ', tgrelid::regclass, tgname)
            FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT 'version', version_num FROM alembic_version
    ) AS found ORDER BY 1
""")
_RESTART = text("""
    SELECT setval(oid::regclass, 1, false) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
""")
# Tables that hold or held rows, and whether those took more than a page; the migrations leave all empty but
# their own.
_USED = text("""
    SELECT oid::regclass::text, pg_relation_size(oid) > 8192 FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
        AND pg_relation_size(oid) > 0
""")


class SparePostgres:
    """Databases with empty tables that earlier tests have left."""

    def __init__(self, server: Engine, template: str) -> None:
        self._server, self._template = server, template
        self._names: list[str] = []
        self._schema = self._look(template, lambda connection: connection.scalars(_SCHEMA).all())

    def take(self) -> str:
        """The name of a database with empty tables."""
        if self._names:
            return self._names.pop()
        name = create(self._server, self._template)
        with self._server.connect() as connection:
            # No test stops this server, so nothing needs to be on its disk.
            connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
        return name

    def give_back(self, used: str) -> None:
        """Empty a database under another name, so that what a test left running cannot reach it."""
        name = new_name()
        try:
            with self._server.connect() as connection:
                connection.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
                    {"name": used},
                )
                connection.execute(text(f"ALTER DATABASE {used} RENAME TO {name}"))
        except OperationalError:  # something connects to it again and again
            drop(self._server, used)
            return
        if self._look(name, self._emptied):
            self._names.append(name)
        else:
            drop(self._server, name)

    def close(self) -> None:
        for name in self._names:
            drop(self._server, name)

    def _emptied(self, connection: Connection) -> bool:
        """Whether the database is again as the template is."""
        if connection.scalars(_SCHEMA).all() != self._schema:
            return False
        used = connection.execute(_USED).all()
        # Truncating makes new files, which takes the server ten times as long as deleting a few rows.
        if small := [f"{name} AS (DELETE FROM {name})" for name, is_large in used if not is_large]:
            connection.execute(text(f"WITH {', '.join(small)} SELECT"))  # one, for the sake of foreign keys
        if large := [name for name, is_large in used if is_large]:
            connection.execute(text(f"TRUNCATE {', '.join(large)} CASCADE"))
        connection.execute(_RESTART)
        return True

    def _look(self, name: str, look: Callable[[Connection], T]) -> T:
        engine = create_engine(self._server.url.set(database=name), poolclass=NullPool)
        with engine.begin() as connection:
            return look(connection)


@pytest.fixture(scope="session")
def spare_postgres(postgres_server: Engine, postgres_template: str) -> Iterator[SparePostgres]:
    """The databases with empty tables."""
    spare = SparePostgres(postgres_server, postgres_template)
    yield spare
    spare.close()


@pytest.fixture
def postgres_url(spare_postgres: SparePostgres, postgres_server: Engine) -> Iterator[str]:
    """A Postgres database with empty tables."""
    name = spare_postgres.take()
    yield postgres_server.url.set(database=name).render_as_string(hide_password=False)
    spare_postgres.give_back(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file with empty tables."""
    make_tables(tmp_path / "vibecheck.db")
    return f"sqlite:///{tmp_path / 'vibecheck.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with empty tables, of each kind in turn."""
    return request.getfixturevalue(f"{request.param}_url")


# For tests that start processes. What differs between the databases is tested without them.
quick_on_sqlite = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])],
    indirect=True,
)


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
    if not settings.database_url:
        make_tables(settings.data / "vibecheck.db")
    with closing(Registry.open(settings)) as opened:
        yield opened
