"""Transactions: `reading`, `writing`, `insert_if_new`, and the message for each failure of a database."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, Row, Select, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from vibecheck.errors import RecordsError

# How long a writer waits for another one on SQLite, before it gives up.
BUSY_SECONDS = 5.0

# "Insert unless it exists" is not standard SQL; each dialect of SQLAlchemy has an insert of its own for it.
INSERTS: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}

# The execution option that `connect.py` turns into BEGIN IMMEDIATE on SQLite.
WRITING = "vibecheck_writing"

# The execution option of an engine: whether this process sends the outbox.
SENDS = "vibecheck_sends"

ELSEWHERE = "set VIBECHECK_DATA (or VIBECHECK_DATABASE_URL, if that is set) to another place"

# What to do, by the start of the name of SQLite's error; the first that fits.
SQLITE_ADVICE = {
    "SQLITE_FULL": "has no room left: free some space on its disk",
    "SQLITE_BUSY": f"was held by another program for more than {BUSY_SECONDS:g} seconds: "
    "close what holds it, or try again",
    "SQLITE_READONLY": f"is read-only: allow writing to the file and its folder, or {ELSEWHERE}",
    "SQLITE_CANTOPEN": f"cannot be opened: allow reading and writing in its folder, or {ELSEWHERE}",
    "SQLITE_NOTADB": f"is not a SQLite database: move that file away, or {ELSEWHERE}",
    "SQLITE_CORRUPT": f"is damaged: put a backup in its place, or {ELSEWHERE}",
    "SQLITE_IOERR": f"cannot be read or written: check its disk, or {ELSEWHERE}",
}

# What to do, by the start of Postgres's SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html).
POSTGRES_ADVICE = {
    "53300": "has no connection left: stop what holds them, or raise the server's max_connections",
    "53100": "has no room left: free some space on the server's disk",
    "25006": "is read-only: name the primary server in VIBECHECK_DATABASE_URL",
    "42501": "does not allow this to its user: grant it, or name another user in VIBECHECK_DATABASE_URL",
    "40P01": "had a deadlock between two changes: try again",
    "08": "cannot be reached: check that the server runs, and VIBECHECK_DATABASE_URL",
    "57P": "is shutting down or starting: try again when the server runs",
}


# A server that refuses a connection gives its reason in words only.
TOO_MANY = ("too many clients", "too many connections", "connection slots are reserved")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A read-only transaction. Raises RecordsError if the database fails."""
    with _translated(engine), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is committed when the block ends, and rolled back when it raises.

    On SQLite the block holds the database's only write lock from the start, so what it reads cannot
    change before it writes. On Postgres it locks the rows it needs. Raises RecordsError where the
    database fails.
    """
    with (
        _translated(engine),
        engine.connect().execution_options(**{WRITING: True}) as connection,
        connection.begin(),
    ):
        yield connection


class Queries:
    """Base of classes whose methods open a transaction each, and raise RecordsError if the database fails.

    After a `with` statement the connections are closed.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections to the database."""
        self._engine.dispose()


def fetch(engine: Engine, query: Select) -> list[Row]:
    """The rows that a query finds, in a transaction of its own. Raises RecordsError if the database fails."""
    with reading(engine) as connection:
        return list(connection.execute(query))


@contextmanager
def reading_raw(engine: Engine) -> Iterator[Any]:
    """The driver's own connection, outside of a transaction. Raises RecordsError if the database fails."""
    with _translated(engine):
        connection = engine.raw_connection()
        try:
            yield connection.driver_connection
        except sqlite3.Error as error:
            raise DBAPIError("PRAGMA", None, error) from error
        finally:
            connection.close()


def place(url: URL) -> str:
    """Names a database in messages, without user, password or options."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite database {url.database}"
    server = url.host or url.query.get("host") or "this machine"
    return f"Postgres database {url.database or 'of the default name'} on {server}"


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    """Raises database errors as RecordsError; bugs of our own pass through."""
    try:
        yield
    except NoConnectionLeft as error:
        sentence = f"All connections to the {place(engine.url)} are in use: try again in a moment."
        raise RecordsError(sentence) from error
    except DBAPIError as error:
        raise RecordsError(_sentence(error, engine.url)) from error


def _sentence(error: DBAPIError, url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        table, code = SQLITE_ADVICE, getattr(error.orig, "sqlite_errorname", "")
    else:
        # While connecting, and once the server is gone, there is no code: "08" is a failed connection.
        missing = "" if isinstance(error, DataError) else "08"
        if any(words in str(error.orig) for words in TOO_MANY):
            missing = "53300"
        table, code = POSTGRES_ADVICE, getattr(error.orig, "sqlstate", None) or missing
    advice = next((advice for start, advice in table.items() if code.startswith(start)), "refused a request")
    reason = " ".join(str(error.orig).split()).removesuffix(".")
    return f"The {place(url)} {advice} ({reason})."


def database_now(connection: Connection) -> datetime:
    """The time by the database's clock: on SQLite, that of this machine."""
    if connection.dialect.name == "postgresql":
        return connection.execute(select(func.clock_timestamp())).scalar_one()
    return datetime.now(UTC)


def insert_if_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Inserts the row unless its key exists; returns whether it was inserted."""
    statement = INSERTS[connection.dialect.name](table).values(row).on_conflict_do_nothing()
    # SQLAlchemy returns the row count of an INSERT only on request.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1


def insert_new(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Inserts the rows whose key does not exist."""
    if rows := list(rows):
        connection.execute(INSERTS[connection.dialect.name](table).on_conflict_do_nothing(), rows)
