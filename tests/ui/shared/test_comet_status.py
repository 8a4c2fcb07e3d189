"""What the sidebar shows about Comet, and to whom."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from tests.databases import open_store
from tests.records.examples import a_prediction
from tests.records.rows import engine_of, queued
from tests.ui.conftest import forget
from vibecheck.access.roles import Role
from vibecheck.comet.status import ASKED, RESTORING, SENDER
from vibecheck.records.db.tables import outbox
from vibecheck.records.db.transactions import writing
from vibecheck.settings import Settings
from vibecheck.ui.access import gate

PAGE = """
from vibecheck.ui.shared import app, comet_status
comet_status.draw(app.store)
comet_status.fetch_button(app.store)
"""


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store that the page finds too, with Comet set up."""
    monkeypatch.setenv("VIBECHECK_DATA", str(tmp_path))
    monkeypatch.setenv("COMET_API_KEY", "key")
    monkeypatch.setattr(gate, "role", lambda: Role.ANALYST)
    forget()
    opened = open_store(Settings(data=tmp_path))
    yield opened
    opened.close()
    forget()


def page() -> AppTest:
    shown = AppTest.from_string(PAGE, default_timeout=60).run()
    assert not shown.exception
    return shown


def words(shown: AppTest) -> str:
    return " ".join(element.value for element in shown.sidebar.markdown)


def note(store, subject, content):
    store.notes.write(subject, content)


def speak(store, works=True, sentence=""):
    note(store, SENDER, {"works": works, "sentence": sentence, "account": None})


def test_comet_status_is_shown_only_to_permitted_roles(store, monkeypatch):
    assert "Comet" in words(page())
    monkeypatch.setattr(gate, "role", lambda: Role.LABELLER)
    assert words(page()) == ""


def test_comet_status_is_hidden_when_comet_is_not_configured(store, monkeypatch):
    monkeypatch.delenv("COMET_API_KEY")
    shown = page()
    assert words(shown) == "" and not shown.button


def test_comet_status_says_connected_when_nothing_is_queued(store):
    speak(store)
    shown = page()
    assert "Comet: connected" in words(shown) and "All records are in Comet." in words(shown)
    assert not shown.sidebar.button


def test_comet_status_shows_queue_length_age_and_reason(store):
    store.add(a_prediction(made_at=datetime.now(UTC) - timedelta(hours=3, minutes=5)), None)
    speak(store, False, "Comet cannot be reached: check the <network>.")
    shown = page()
    assert "not connected" in words(shown) and "check the &lt;network&gt;." in words(shown)
    assert "1 record queued, the oldest 3 hours old." in words(shown)


def test_set_aside_rows_show_their_reasons_and_can_be_retried(store):
    for _ in range(2):
        store.add(a_prediction(made_at=datetime.now(UTC)), None)
    with writing(engine_of(store)) as connection:
        connection.execute(update(outbox).values(set_aside_at=datetime.now(UTC), reason="Too large."))
    speak(store)
    shown = page()
    assert "2 records set aside: Too large." in words(shown)
    shown.sidebar.button[0].click().run()
    assert "set aside" not in words(shown) and "2 records queued" in words(shown)
    assert store.notes.read(ASKED)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ({"days": 9, "days_read": 4, "pictures_left": 0}, "day 4 of 9, 12 predictions"),
        ({"days": 9, "days_read": 9, "pictures_left": 1234}, "1,234 pictures left"),
        ({"days": 9, "days_read": 9, "pictures_left": 1, "sentence": "No network."}, "paused: No network."),
    ],
)
def test_restore_progress_is_shown(store, at, expected):
    speak(store)
    note(store, RESTORING, {"predictions": 12, "labels": 0, "pictures": 0, "done": False} | at)
    assert expected in words(page())


def test_fetch_button_queues_a_restore(store):
    shown = page()
    shown.button[-1].click().run()
    assert not shown.exception
    assert [row.kind for row in queued(store)] == ["restore"]
