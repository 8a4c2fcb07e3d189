import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Barrier

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, delete, insert, inspect, select, text, update

from tests.databases import new_postgres, quick_on_sqlite
from tests.records.examples import NOON, a_prediction
from vibecheck.errors import RecordsError
from vibecheck.records.db.connect import MIGRATIONS, _revisions, open_database
from vibecheck.records.db.rows import prediction_row
from vibecheck.records.db.summary_tables import daily, outcomes
from vibecheck.records.db.tables import feedback, metadata, predictions
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.stats import summaries
from vibecheck.records.values import Feedback

# Waits, with everything imported, for the word to open the database.
OPENER = """
import sys
from vibecheck.records.db.connect import open_database
print("ready", flush=True)
sys.stdin.readline()
open_database(sys.argv[1]).dispose()
"""


@pytest.fixture
def postgres_url(postgres_server: Engine) -> Iterator[str]:
    """A Postgres database without tables."""
    with new_postgres(postgres_server) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'vibecheck.db'}"


def shape(engine: Engine) -> dict:
    """All that can be read of the tables; the order of the columns does not count."""
    found = inspect(engine)
    return {
        table: (
            sorted((column["name"], str(column["type"]), column["nullable"]) for column in columns),
            found.get_pk_constraint(table),
            found.get_foreign_keys(table),
            sorted(map(plain, found.get_indexes(table)), key=str),
        )
        for table in found.get_table_names()
        if table != "alembic_version"
        for columns in [found.get_columns(table)]
    }


def plain(index: dict) -> dict:
    """An index, with the condition of a partial one as text."""
    return index | {"dialect_options": {k: str(v) for k, v in index.get("dialect_options", {}).items()}}


def test_migrations_create_the_tables_that_the_code_defines(engine):
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrated_schema_equals_the_schema_created_from_the_metadata(engine):
    migrated = shape(engine)
    with writing(engine) as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert migrated == shape(engine)


def test_reopening_a_database_does_not_change_its_schema(engine, database_url):
    before = shape(engine)
    open_database(database_url).dispose()
    assert shape(engine) == before


def test_threads_may_open_a_new_database_at_once(database_url):
    together = Barrier(6)

    def open_it(_):
        together.wait()
        return open_database(database_url)

    with ThreadPoolExecutor(6) as threads:
        engines = list(threads.map(open_it, range(6)))
    with reading(engines[0]) as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1
    for engine in engines:
        engine.dispose()


def test_threads_may_open_several_databases_at_once(tmp_path):
    with ThreadPoolExecutor(6) as threads:
        urls = [f"sqlite:///{tmp_path / str(number)}.db" for number in range(12)]
        for engine in threads.map(open_database, urls):
            assert inspect(engine).has_table("outbox")
            engine.dispose()


@quick_on_sqlite  # threads do the same
def test_processes_may_open_a_new_database_at_once(database_url):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=120) for process in processes] == [("", "")] * 2
    assert {process.returncode for process in processes} == {0}


def test_a_migration_that_fails_leaves_nothing_behind(database_url, monkeypatch):
    monkeypatch.setattr(summaries, "rebuild", lambda connection: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        open_database(database_url)
    raw = create_engine(database_url)
    assert inspect(raw).get_table_names() == []
    raw.dispose()


@pytest.mark.parametrize(
    "theirs",
    [
        "CREATE TABLE daily AS SELECT 1 AS mine",
        "CREATE TABLE alembic_version AS SELECT '5f1a2b3c4d' AS version_num",
    ],
)
def test_database_with_tables_of_another_program_is_refused_and_left_alone(database_url, theirs):
    raw = create_engine(database_url)
    with raw.begin() as connection:
        connection.execute(text(theirs))
    before = inspect(raw).get_table_names()
    with pytest.raises(RecordsError, match="has tables of another program: set VIBECHECK_DATA"):
        open_database(database_url)
    assert inspect(raw).get_table_names() == before
    with raw.begin() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {before[0]}")).scalar() == 1
    raw.dispose()


def test_revisions_are_read_from_the_names_of_the_files():
    scripts = ScriptDirectory(str(MIGRATIONS.parent))
    revisions = [script.revision for script in scripts.walk_revisions()][::-1]
    assert [each.partition("_")[0] for each in revisions] == _revisions()
    assert scripts.get_current_head() == _revisions()[-1]


@quick_on_sqlite
def test_up_to_date_database_is_opened_without_alembic(engine, database_url):
    code = (
        "import sys; from vibecheck.records.db.connect import open_database\n"
        "open_database(sys.argv[1]).dispose(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, database_url]).returncode == 0


def test_database_of_a_newer_version_is_refused(engine, database_url):
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RecordsError, match=r"newer VibeCheck: update this one.*VIBECHECK_DATA"):
        open_database(database_url)


def upgrade(connection: Connection, revision: str) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "vibecheck.records.db:migrations")
    config.set_main_option("path_separator", "os")
    command.upgrade(config, revision)


def test_migration_copies_existing_labels_to_their_predictions(database_url):
    raw = create_engine(database_url)
    labelled, untouched = a_prediction(mood="happy"), a_prediction()
    rows = [prediction_row(each) for each in (labelled, untouched)]
    for row in rows:
        del row["calibration"]  # which came later
    with raw.begin() as connection:
        upgrade(connection, "0001")
        connection.execute(insert(predictions), rows)
        for n, label in ((1, "sad"), (2, "fear")):
            values = {
                "prediction_id": labelled.id,
                "n": n,
                "label": label,
                "source": "audit",
                "given_at": NOON,
            }
            connection.execute(insert(feedback).values(values))
    raw.dispose()
    engine = open_database(database_url)
    query = select(predictions.c.id, predictions.c.label, predictions.c.labels_given, predictions.c.judged)
    with reading(engine) as connection:
        found = set(map(tuple, connection.execute(query)))
    engine.dispose()
    assert found == {(labelled.id, "fear", 2, False), (untouched.id, None, 0, False)}


def test_migration_counts_labels_of_the_random_queue_that_were_given_again(database_url):
    again, unclear, once, useful = (a_prediction(mood="happy", visitor="me", audit=True) for _ in range(4))
    given = [
        (again, 1, "sad", "random"),
        (again, 2, "happy", None),
        (unclear, 1, "fear", "random"),
        (unclear, 2, "cant_tell", "useful"),
        (once, 1, "sad", "useful"),
        (once, 2, "happy", "random"),
        (useful, 1, "sad", "useful"),
    ]
    raw = create_engine(database_url)
    with raw.begin() as connection:
        upgrade(connection, "0017")
        for table in (daily, outcomes):
            table.create(connection)
        connection.execute(insert(predictions), list(map(prediction_row, (again, unclear, once, useful))))
        for made, n, label, queue in given:
            feedback_given = Feedback(made.id, n, label, "labeller", "ann", NOON, queue)
            connection.execute(insert(feedback).values(asdict(feedback_given)))
        summaries.rebuild(connection)
        wanted = all_outcomes(connection)
        # As before: the newest label counted.
        of = outcomes.c
        connection.execute(delete(outcomes).where(of.prediction_id.in_([again.id, unclear.id]), of.n == 1))
        counted = update(outcomes).where(of.prediction_id == again.id).values(counts=True, eligible=True)
        connection.execute(counted)
        assert all_outcomes(connection) != wanted
    raw.dispose()
    engine = open_database(database_url)
    with reading(engine) as connection:
        assert all_outcomes(connection) == wanted and len(wanted) == 5
    engine.dispose()


def all_outcomes(connection: Connection) -> list[tuple]:
    return sorted(map(tuple, connection.execute(select(outcomes))))
