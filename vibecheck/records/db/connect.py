"""Opens the database of the records: SQLite for one machine, Postgres for several."""

import os
import re
import sqlite3
import tempfile
import threading
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, delete, event, false, inspect, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from vibecheck.errors import RecordsError
from vibecheck.records.db.circuit_breaker import CircuitBreaker
from vibecheck.records.db.summary_tables import daily, outcomes
from vibecheck.records.db.tables import metadata, outbox
from vibecheck.records.db.transactions import (
    BUSY_SECONDS,
    ELSEWHERE,
    SENDS,
    WRITING,
    place,
    reading,
    reading_raw,
    writing,
)
from vibecheck.records.stats import summaries

MIGRATIONS = Path(__file__).with_name("migrations") / "versions"

# Seconds within which a Postgres server must answer a new connection.
CONNECT_SECONDS = 3
# Milliseconds after which a connection to a host that vanished is dropped (TCP_USER_TIMEOUT).
SILENCE = 10_000

# Milliseconds for which erasing waits for readers of a SQLite file.
ERASE_WAITS = 500

SQLITE_DRIVERS = ("sqlite", "sqlite+pysqlite")
POSTGRES_DRIVERS = ("postgresql+psycopg", "postgresql", "postgres")  # hosts hand out the last two

# The advisory lock held while migrating Postgres: any number that nothing else in the database uses.
MIGRATION_LOCK = 0x76696265

# Alembic keeps its state in module globals, so one thread of a process migrates at a time.
_one_migration = threading.Lock()


def open_database(url: str, sends: bool = True) -> Engine:
    """Connects to the database at `url` and brings its tables up to date.

    A SQLite file and its folder are created if they are missing, readable by their owner only. Without
    `sends`, nothing is added to the outbox unless another process sends it. Safe to call from several
    processes and threads at once. Raises RecordsError with what to do, naming the setting, if the database
    cannot be used; no message contains a password.
    """
    parsed = _parse(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    engine = _sqlite(parsed) if sqlite else _postgres(parsed)
    try:
        with reading(engine) as connection:
            is_current = _revision(connection) == _revisions()[-1]
        if not is_current:
            import_module("alembic.command")  # takes a quarter of a second: not while the write lock is held
        with writing(engine) as connection:
            migrate(connection)
            prove_writable(connection)
        if sqlite:
            _watch_file(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine.execution_options(**{SENDS: sends})


def erase_traces(engine: Engine) -> bool:
    """Erases deleted content from SQLite's write-ahead log; returns False if a reader prevented it.

    In the database file itself, deleted content is overwritten (`secure_delete`). Raises RecordsError.
    """
    if engine.dialect.name != "sqlite":
        return True
    with reading_raw(engine) as connection:
        # While it waits for readers, nobody can write.
        connection.execute(f"PRAGMA busy_timeout = {ERASE_WAITS}")
        try:
            blocked, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
    return not blocked


def migrate(connection: Connection) -> None:
    """Migrates the tables within the connection's transaction, so entirely or not at all.

    Raises RecordsError if a newer VibeCheck or another program made the tables.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    current = _revision(connection)
    if current == _revisions()[-1]:
        return
    here = place(connection.engine.url)
    number = (current or "").partition("_")[0]  # the second one is called "0002_corrections"
    taken = current is None and metadata.tables.keys() & inspect(connection).get_table_names()
    if taken or (current and not re.fullmatch(r"\d{4}", number)):
        raise RecordsError(f"The {here} has tables of another program: {ELSEWHERE}.")
    if current and number not in _revisions():
        raise RecordsError(
            f"The tables in the {here} were made by a newer VibeCheck: update this one, or {ELSEWHERE}."
        )
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "vibecheck.records.db:migrations")
    config.set_main_option("path_separator", "os")
    with _one_migration:
        command.upgrade(config, "head")
    # The summaries are derived from the other tables: they are made anew, instead of by migrations.
    for table in (daily, outcomes):
        table.drop(connection, checkfirst=True)
        table.create(connection)
    summaries.rebuild(connection)


def _revision(connection: Connection) -> str | None:
    """The revision of the tables, or None if there are none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


@cache
def _revisions() -> list[str]:
    """The revisions, oldest first, without Alembic: the numbers in the names of the migrations' files."""
    return sorted(path.name.partition("_")[0] for path in MIGRATIONS.glob("0*.py"))


def prove_writable(connection: Connection) -> None:
    """Raises if the database is read-only, which shows only at the first change."""
    connection.execute(delete(outbox).where(false()))


def _parse(url: str) -> URL:
    examples = "postgresql+psycopg://user:password@host/database or sqlite:////folder/file.db"
    malformed = RecordsError(
        f"VIBECHECK_DATABASE_URL is not the URL of a database: write it as {examples}, "
        "and @, : and / in a password as %40, %3A and %2F."
    )
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise malformed from None  # the cause may hold pieces of a password
    if not parsed.drivername.startswith("sqlite") and url.count("@") > 1:
        raise malformed  # the end of the password would be parsed, and shown, as the server's name
    if parsed.drivername in POSTGRES_DRIVERS:
        return parsed.set(drivername=POSTGRES_DRIVERS[0])
    if parsed.drivername not in SQLITE_DRIVERS:
        raise RecordsError(
            f"VIBECHECK_DATABASE_URL names the driver {parsed.drivername}, which VibeCheck does not use; "
            f"write it as {examples}."
        )
    if not parsed.database or parsed.database.startswith((":memory:", "file:")):
        raise RecordsError(
            "VIBECHECK_DATABASE_URL must name a file, so that the records outlive the process: "
            "sqlite:////folder/file.db."
        )
    return parsed


def _postgres(url: URL) -> Engine:
    limits = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": SILENCE}
    options: dict[str, object] = {name: limit for name, limit in limits.items() if name not in url.query}
    # Poolers such as PgBouncer may use another session for each transaction, without the statements that an
    # earlier one prepared.
    options["prepare_threshold"] = None
    engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=options)
    breaker = CircuitBreaker()

    @event.listens_for(engine, "do_connect")
    def connect(dialect, record, args, parameters):
        return breaker.attempt(lambda: dialect.connect(*args, **parameters))

    return engine


def _sqlite(url: URL) -> Engine:
    file = Path(str(url.database)).absolute()
    folder = file.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(file)
    except OSError as error:
        raise RecordsError(
            f"The folder {folder} for the records cannot be created ({error.strerror}): {ELSEWHERE}."
        ) from error
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(file: Path) -> None:
    """Creates the file if needed; only its owner may read it and, as SQLite copies the mode, its log.

    It is created under another name: closing any descriptor of a file drops all locks that the process holds
    on it, SQLite's too, and another process would delete the log in use (sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(OSError):  # the first transaction says what is wrong
        if not file.exists():
            descriptor, new = tempfile.mkstemp(dir=file.parent)
            os.close(descriptor)
            try:
                os.link(new, file)
            finally:
                Path(new).unlink()
        if not file.is_file():  # `chmod` would lock others out of a folder
            raise RecordsError(f"{file} is not a file, but would have to hold the records: {ELSEWHERE}.")
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)


def _watch_file(engine: Engine) -> None:
    """Makes connections fail if the database's file is no longer the one that was opened.

    SQLite would keep writing to a deleted file, and acknowledged writes would be lost.
    """
    file = Path(str(engine.url.database)).absolute()
    opened = file.stat()

    def check(*_: object) -> None:
        with suppress(OSError):
            if os.path.samestat(file.stat(), opened):
                return
        raise RecordsError(
            f"The {place(engine.url)} was removed or replaced while VibeCheck was running, so nothing can be "
            "kept: restart VibeCheck."
        )

    event.listen(engine, "do_connect", check)
    event.listen(engine, "checkout", check)


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # In WAL mode, which is stored in the file, readers and the writer do not wait for each other. SQLite does
    # not wait for other processes when it changes the mode, so it is retried. On file systems that cannot
    # do it (some network shares) SQLite keeps its rollback journal.
    for attempt in Retrying(
        retry=retry_if_exception(lambda error: "SQLITE_BUSY" in getattr(error, "sqlite_errorname", "")),
        stop=stop_after_delay(BUSY_SECONDS),
        wait=wait_random(0.005, 0.05),
        reraise=True,
    ):
        with attempt:
            connection.execute("PRAGMA journal_mode = WAL")
    # FULL syncs at each commit: in WAL mode, NORMAL may lose the last commits in a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # Deleted content is overwritten with zeros, instead of staying in the file until the space is reused.
    connection.execute("PRAGMA secure_delete = ON")


def _begin_sqlite(connection: Connection) -> None:
    # Explicit, because sqlite3 begins a transaction only at the first change. A transaction that reads first
    # and then writes fails at once if another one wrote meanwhile, whatever the timeout; one that takes the
    # write lock at its start waits its turn.
    immediate = connection.get_execution_options().get(WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
