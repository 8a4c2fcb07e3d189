"""The app on records written by its first version: dumps of both databases from that time."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from benchmarks.harness.page_client import Visitor
from tests.databases import open_store
from tests.end_to_end.conftest import check_vibe, photo, said
from tests.records.rows import queued
from tests.standins.postgres import postgres_of_its_own
from vibecheck.records.stats.queries import Scope
from vibecheck.settings import Settings

OLD = Path(__file__).parent / "old"
# Whose vibe checks the dumps hold, and their ids, oldest first; the third is somebody else's.
PERSON = "0123456789abcdef" * 2
IDS = [f"{number:032x}" for number in (1, 2, 3)]
TOKEN = "a-token-for-the-dashboard-of-old"


@pytest.fixture
def old_sqlite(tmp_path) -> str:
    file = tmp_path / "vibecheck.db"
    database = sqlite3.connect(file)
    database.executescript((OLD / "0001.sqlite.sql").read_text(encoding="utf-8"))
    database.close()
    return f"sqlite:///{file}"


@pytest.fixture
def old_postgres():
    with postgres_of_its_own() as server:
        plain = make_url(server.url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain) as connection:
            connection.execute((OLD / "0001.postgres.sql").read_text(encoding="utf-8"))
        yield server.url


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_app_works_with_records_of_its_first_version(kind, request, run_app, tmp_path):
    url = request.getfixturevalue(f"old_{kind}")
    picture = tmp_path / "data" / "images" / IDS[0][:2] / f"input_{IDS[0]}.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(photo())
    app = run_app(
        VIBECHECK_DATA=str(tmp_path / "data"),
        VIBECHECK_DATABASE_URL=url,
        VIBECHECK_ACCESS_TOKEN=TOKEN,
        VIBECHECK_RETENTION_DAYS="3650",
    )
    app.ready()
    person = {"vibecheck_visitor": PERSON}
    with Visitor(app.url, page="Corrections", query=f"prediction_id={IDS[1]}", cookies=person) as tab:
        assert tab.errors() == []
        tab.press(f"4-{IDS[1]}")
    with Visitor(app.url, cookies=person) as tab:
        new = check_vibe(tab)
        tab.pick("answer-", 0)
    with Visitor(app.url, page="Dashboard", query=f"access={TOKEN}") as tab:
        assert tab.errors() == [] and "audit" in tab.text().lower()

    store = open_store(Settings(data=tmp_path / "data", database_url=url))
    assert [prediction.id for prediction, _ in store.history()] == [*IDS, new]
    assert [each.label for each in store.feedback_of(IDS[1])] == ["angry", "fear", "happy"]
    assert store.picture(IDS[0]) == photo()
    assert store.plays_of(IDS[0])[0].playlist_name == "Happy Hits!"
    assert store.statistics.mix(Scope()).n == 4, "the summaries count what was there before them"
    waiting = {row.prediction_id for row in queued(store) if row.kind == "prediction"}
    assert waiting == set(IDS), "without an account, nothing is added to what waits"
    assert store.get(IDS[2]).made_at == datetime(2026, 9, 22, 9, 30, tzinfo=UTC)
    store.close()
    assert "Traceback" not in said(app)
