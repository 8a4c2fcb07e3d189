import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg.errors
import pytest
from sqlalchemy import create_engine, event, insert, make_url, text
from sqlalchemy.exc import StatementError

from tests.databases import prepare_sqlite
from tests.records.examples import NOON
from vibecheck.errors import RecordsError
from vibecheck.records.db import connect
from vibecheck.records.db.connect import open_database
from vibecheck.records.db.tables import model_versions
from vibecheck.records.db.transactions import place, reading, writing

NOBODY = 65534


@contextmanager
def an_ordinary_user():
    """Runs as an ordinary user: root may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def read_only_folder():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def full_text(error):
    """The message with those of its causes, as a traceback shows them."""
    words = []
    while error is not None:
        words.append(str(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " ".join(words)


def pragma(connection, name):
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_sqlite_is_opened_with_durable_writes_and_foreign_keys(sqlite_url, monkeypatch):
    monkeypatch.setattr(connect, "_prepare_sqlite", prepare_sqlite)
    engine = open_database(sqlite_url)
    with reading(engine) as connection:
        settings = {
            name: pragma(connection, name)
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    engine.dispose()


def test_missing_folders_of_the_sqlite_file_are_created(tmp_path):
    file = tmp_path / "a" / "b" / "vibecheck.db"
    open_database(f"sqlite:///{file}").dispose()
    assert file.is_file()


@pytest.mark.parametrize("driver", ["postgresql", "postgres", "postgresql+psycopg"])
@pytest.mark.postgres
def test_every_spelling_of_a_postgres_url_uses_the_psycopg_driver(postgres_url, driver):
    engine = open_database(postgres_url.replace("postgresql+psycopg", driver))
    assert engine.driver == "psycopg"
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "not the URL of a database"),
        ("vibecheck.db", "not the URL of a database"),
        ("postgresql://me:secret@host:port/vibes", "not the URL of a database"),
        ("postgresql://me:secret/vibes", "not the URL of a database"),
        ("postgresql://me:sec@ret@host/vibes", "%40"),
        ("mysql://me:secret@host/vibes", "names the driver mysql"),
        ("oracle9://me:secret@host/vibes", "names the driver oracle9"),
        ("sqlite+aiosqlite:///vibes.db", r"names the driver sqlite\+aiosqlite"),
        ("postgresql+psycopg2://me:secret@host/vibes", r"names the driver postgresql\+psycopg2"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///file:vibes?mode=memory&uri=true", "must name a file"),
    ],
)
def test_unusable_url_is_refused_naming_the_setting_but_not_the_password(url, words):
    with pytest.raises(RecordsError, match=words) as caught:
        open_database(url)
    assert "VIBECHECK_DATABASE_URL" in str(caught.value)
    assert "secret" not in full_text(caught.value)
    assert "ret@" not in full_text(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@127.0.0.1:1/vibes",
        "postgresql://me:secret@nowhere.invalid/vibes",
        "postgresql://me@127.0.0.1:1/vibes?password=secret",
        "postgresql://me:secret@127.0.0.1:1/vibes?no_such_option=1",
    ],
)
def test_unreachable_server_is_reported_without_the_password(url):
    words = r"vibes on .* cannot be reached.*VIBECHECK_DATABASE_URL"
    with pytest.raises(RecordsError, match=words) as caught:
        open_database(url)
    assert "secret" not in full_text(caught.value)


@pytest.mark.postgres
def test_missing_postgres_database_is_reported_with_the_setting(postgres_url):
    url = make_url(postgres_url).set(database="vibecheck_nowhere").render_as_string(hide_password=False)
    with pytest.raises(RecordsError, match=r"VIBECHECK_DATABASE_URL.*does not exist"):
        open_database(url)


@pytest.mark.parametrize(
    "reason",
    [
        "sorry, too many clients already",
        'too many connections for role "me"',
        "remaining connection slots are reserved",
    ],
)
def test_server_without_free_connections_is_reported_with_max_connections(reason):
    fields = b"".join(each.encode() + b"\0" for each in ("SFATAL", "C53300", f"M{reason}"))
    answer = b"E" + (len(fields) + 5).to_bytes(4) + fields + b"\0"

    def refuse(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with client:
                    client.recv(4096)
                    client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=refuse, args=[server], daemon=True).start()
        port = server.getsockname()[1]
        with pytest.raises(RecordsError, match=r"vibes on 127.0.0.1 has no connection left.*max_connections"):
            open_database(f"postgresql://me@127.0.0.1:{port}/vibes?sslmode=disable&gssencmode=disable")


def test_connecting_to_a_silent_server_times_out(monkeypatch):
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(RecordsError, match="cannot be reached"):
            open_database(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/vibes")
        assert time.monotonic() - began < 30, "it would be waited for as long as it is silent"


def test_data_folder_that_cannot_be_created_is_reported(tmp_path):
    (tmp_path / "data").write_text("a file is in the way")
    with pytest.raises(RecordsError, match=r"cannot be created \(.*VIBECHECK_DATA"):
        open_database(f"sqlite:///{tmp_path}/data/vibecheck.db")


def test_data_folder_without_write_permission_is_reported(sqlite_url, read_only_folder):
    open_database(sqlite_url).dispose()  # whatever is loaded late is loaded while it may be read
    with an_ordinary_user():
        with pytest.raises(RecordsError, match=r"cannot be created \(Permission denied\).*VIBECHECK_DATA"):
            open_database(f"sqlite:///{read_only_folder}/data/vibecheck.db")
        with pytest.raises(RecordsError, match=r"cannot be opened.*VIBECHECK_DATA"):
            open_database(f"sqlite:///{read_only_folder}/vibecheck.db")


def test_read_only_database_file_is_reported(read_only_folder):
    read_only_folder.chmod(0o777)
    file = read_only_folder / "vibecheck.db"
    open_database(f"sqlite:///{file}").dispose()
    file.chmod(0o444)
    with an_ordinary_user(), pytest.raises(RecordsError, match=r"is read-only.*VIBECHECK_DATA"):
        open_database(f"sqlite:///{file}")


def test_file_that_is_not_a_database_is_reported_and_left_unchanged(tmp_path):
    file = tmp_path / "vibecheck.db"
    file.write_text("Dear diary, " * 100)
    with pytest.raises(RecordsError, match=r"is not a SQLite database.*VIBECHECK_DATA"):
        open_database(f"sqlite:///{file}")
    assert file.read_text().startswith("Dear diary")


def test_lock_held_by_another_program_is_reported_to_writers_but_not_to_readers(sqlite_url, monkeypatch):
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.1)
    engine = open_database(sqlite_url)
    holder = sqlite3.connect(make_url(sqlite_url).database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsError, match="held by another program"), writing(engine):
        pass
    with reading(engine) as connection:  # a writer does not keep readers out
        assert connection.execute(text("SELECT count(*) FROM predictions")).scalar_one() == 0
    holder.execute("ROLLBACK")
    holder.close()
    with writing(engine):
        pass
    engine.dispose()


def test_writer_waits_for_another_writer(sqlite_url):
    """SQLite refuses at once to write after a read that became stale, so a writer must not read first."""
    engine = open_database(sqlite_url)

    def count_up(_):
        with writing(engine) as connection:
            last = connection.execute(text("SELECT count(*) FROM model_versions")).scalar_one()
            row = {"version": str(last), "origin": "test", "first_used_at": NOON}
            connection.execute(insert(model_versions).values(row))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count_up, range(40)))
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM model_versions")).scalar_one() == 40
    engine.dispose()


def test_switching_to_wal_mode_is_retried_while_the_file_is_locked(tmp_path):
    """Eight processes that open a new file at once: in one of four tries, SQLite tells one of them this."""
    refusals = [
        sqlite3.OperationalError("database is locked"),
        sqlite3.OperationalError("database is locked"),
    ]

    class Busy(sqlite3.Connection):
        def execute(self, sql):
            if "journal_mode" in sql and refusals:
                error = refusals.pop()
                error.sqlite_errorname = "SQLITE_BUSY"
                raise error
            return super().execute(sql)

    connection = sqlite3.connect(tmp_path / "vibecheck.db", factory=Busy)
    connect._prepare_sqlite(connection, None)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert not refusals
    connection.close()


def test_full_disk_is_reported(sqlite_url):
    engine = open_database(sqlite_url)
    with pytest.raises(RecordsError, match="no room left: free some space"), writing(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite takes as many as there are
        for number in range(100):
            row = {"version": str(number), "origin": "x" * 1000, "first_used_at": NOON}
            connection.execute(insert(model_versions).values(row))
    engine.dispose()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (psycopg.errors.DiskFull, "no room left"),
        (psycopg.errors.ReadOnlySqlTransaction, "is read-only.*VIBECHECK_DATABASE_URL"),
        (psycopg.errors.InsufficientPrivilege, "does not allow this.*VIBECHECK_DATABASE_URL"),
        (psycopg.errors.DeadlockDetected, "try again"),
        (psycopg.errors.UndefinedTable, "refused a request"),
    ],
)
def test_postgres_errors_are_translated_into_clear_messages(failure, words):
    engine = create_engine("postgresql+psycopg://me:secret@host/vibes")

    @event.listens_for(engine, "do_connect")
    def refuse(*_):
        raise failure("so says the server")

    with pytest.raises(RecordsError, match=f"The Postgres database vibes on host .*{words}"), reading(engine):
        pass


@pytest.mark.postgres
def test_text_with_a_nul_character_is_reported_as_a_refused_request(postgres_url):
    engine = open_database(postgres_url)
    with pytest.raises(RecordsError, match=r"refused a request .*NUL"), writing(engine) as connection:
        connection.execute(insert(model_versions).values(version="\0", origin="", first_used_at=NOON))
    engine.dispose()


def test_exhausted_connection_pool_is_reported(sqlite_url):
    engine = create_engine(sqlite_url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with reading(engine), pytest.raises(RecordsError, match="in use: try again"), reading(engine):
        pass
    engine.dispose()


@pytest.mark.postgres
def test_a_connection_that_the_server_closed_is_replaced(postgres_url):
    engine = open_database(postgres_url)
    with reading(engine) as connection:
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    other = open_database(postgres_url)
    with reading(other) as connection:
        connection.execute(text("SELECT pg_terminate_backend(:own, 5000)"), {"own": own})
    other.dispose()
    with reading(engine) as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


@pytest.mark.postgres
def test_server_shutdown_during_a_transaction_is_reported(postgres_url):
    engine = open_database(postgres_url)
    with pytest.raises(RecordsError, match="shutting down"), writing(engine) as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    engine.dispose()


def test_programming_errors_are_not_turned_into_records_errors(engine):
    with pytest.raises(StatementError), reading(engine) as connection:
        connection.execute(text("SELECT :missing"))
    with pytest.raises(ZeroDivisionError), writing(engine):
        _ = 1 / 0


def test_a_failed_transaction_leaves_nothing(engine):
    with pytest.raises(ZeroDivisionError), writing(engine) as connection:
        connection.execute(text("INSERT INTO model_versions VALUES ('1', 'test', '2026-01-31 00:00:00')"))
        _ = 1 / 0
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM model_versions")).scalar_one() == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////folder/vibecheck.db", "SQLite database /folder/vibecheck.db"),
        ("postgresql://me:secret@host:5432/vibes?sslmode=require", "Postgres database vibes on host"),
        ("postgresql:///vibes?host=/run/postgresql", "Postgres database vibes on /run/postgresql"),
        ("postgresql:///vibes", "Postgres database vibes on this machine"),
    ],
)
def test_database_description_names_the_place_without_credentials(url, expected):
    assert place(make_url(url)) == expected


@pytest.mark.postgres
def test_read_only_replica_is_reported_with_the_setting(postgres_url):
    open_database(postgres_url).dispose()
    url = make_url(postgres_url)
    url = url.update_query_dict({"options": "-c default_transaction_read_only=on"})
    with pytest.raises(
        RecordsError, match=r"is read-only: name the primary server in VIBECHECK_DATABASE_URL"
    ):
        open_database(url.render_as_string(hide_password=False))


def test_writes_are_visible_to_other_processes_after_the_database_was_opened_twice(tmp_path):
    """Without the first connection's locks, another process that comes and goes deletes the log in use."""
    file = tmp_path / "vibecheck.db"
    read = f"import sqlite3; print(sqlite3.connect({str(file)!r}).execute('SELECT * FROM seen').fetchall())"

    def another_process() -> str:
        return subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=True).stdout

    first = open_database(f"sqlite:///{file}")
    with writing(first) as connection:
        connection.execute(text("CREATE TABLE seen (number)"))
    with first.connect() as connection:  # stays open, as an app's connections do
        connection.execute(text("SELECT * FROM seen")).all()
        connection.rollback()
        open_database(f"sqlite:///{file}").dispose()
        another_process()
        connection.execute(text("INSERT INTO seen VALUES (1)"))
        connection.commit()
        assert another_process().strip() == "[(1,)]"
    first.dispose()


def test_a_folder_named_as_the_database_is_refused_and_keeps_its_mode(tmp_path):
    mode = tmp_path.stat().st_mode | 0o055
    tmp_path.chmod(mode)
    with pytest.raises(RecordsError, match=r"is not a file.*VIBECHECK_DATABASE_URL"):
        open_database(f"sqlite:///{tmp_path}")
    assert tmp_path.stat().st_mode == mode
