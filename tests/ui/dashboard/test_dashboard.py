"""The dashboard's page, run as Streamlit runs it, over real records."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.harness.history import fill
from tests.records.examples import JPEG, a_prediction, open_store
from vibecheck.access.roles import Role
from vibecheck.records.db.connect import open_database
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.ui.access import gate

PAGE = str(Path(__file__).parents[3] / "pages" / "2_Dashboard.py")
NOW = datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The records that the page will open, still empty, as an analyst."""
    monkeypatch.setattr(gate, "role", lambda: Role.ANALYST)
    monkeypatch.setenv("VIBECHECK_DATA", str(tmp_path))
    monkeypatch.setenv("VIBECHECK_RETENTION_DAYS", "3650")
    st.cache_data.clear()
    st.cache_resource.clear()
    opened = open_store(Settings(data=tmp_path))
    yield opened
    opened.close()
    st.cache_data.clear()
    st.cache_resource.clear()


def page(**queries: str) -> AppTest:
    test = visited()
    for name, value in queries.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    return test


def visited() -> AppTest:
    """The page, to somebody whose browser has its cookie: AppTest has no cookies."""
    test = AppTest.from_file(PAGE, default_timeout=120)
    test.session_state.visitor, test.session_state.new_visitor = "0" * 32, False
    return test


def said(test: AppTest) -> str:
    """All words of the page."""
    html = [str(each.proto.body) for each in test.get("html")]
    return " ".join([*html, *(each.value for each in test.markdown)])


def answered(store: Store, number: int, label: str, **changes) -> list[str]:
    ids = []
    for _ in range(number):
        prediction = a_prediction(made_at=NOW, audit=True, **changes)
        store.add(prediction, None)
        store.label(prediction.id, label, "audit", None, NOW)
        ids.append(prediction.id)
    return ids


def test_without_records_it_says_what_is_missing(store):
    words = said(page())
    assert "30 more answers" in words and "Nobody has said yet that it was wrong." in words
    assert "Only 0 of the 100 clean new labels" in words


def test_one_vibe_check_that_nobody_answered_makes_a_page(store):
    store.add(a_prediction(made_at=NOW), None)
    words = said(page())
    assert "30 more answers" in words and "embedded-3" in words


def test_all_wrong_and_one_class_only_make_a_page(store):
    answered(store, 31, "sad")
    words = said(page())
    assert "31 of 31 mistakes" in words and ">0%<" in words


def test_all_right_has_no_confused_pair(store):
    answered(store, 31, "happy")
    words = said(page())
    assert "All 31 answers said that it was right." in words and ">100%<" in words


def test_the_trace_of_an_address_shows_labels_and_model(store):
    (prediction_id,) = answered(store, 1, "sad")
    words = said(page(prediction_id=prediction_id))
    assert "Sad · audit" in words and "None yet." in words and "Light 120" in words


def test_an_id_that_is_none_is_said(store):
    test = page()
    test.text_input(key="searched").set_value("../../etc").run()
    assert "32 characters" in test.warning[0].value
    test.text_input(key="searched").set_value("f" * 32).run()
    assert "There is no prediction" in test.warning[0].value


def test_a_history_fills_every_card_and_the_filters_choose(store, tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'vibecheck.db'}")
    fill(engine, 3000, 120, NOW)
    engine.dispose()
    test = page()
    test.segmented_control(key="period").set_value("all").run()
    assert not test.exception
    words = said(test)
    assert "Accuracy with users over all time" in words and "more than noise" in words
    before = words.count('class="vcd-face')
    assert before == 12
    test.selectbox(key="only-source").set_value("photo").run()
    assert not test.exception and said(test) != words


def test_a_picture_that_was_kept_is_shown(store):
    prediction = a_prediction(made_at=NOW, audit=True, picture_kept=True)
    store.add(prediction, JPEG)
    store.label(prediction.id, "sad", "audit", None, NOW)
    assert "data:image/jpeg;base64" in said(page())


def test_records_that_cannot_be_read_are_a_sentence(store, tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIBECHECK_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:9/none")
    test = visited().run()
    assert not test.exception and "VIBECHECK_DATABASE_URL" in test.error[0].value


def test_nobody_below_an_analyst_sees_it(store, monkeypatch: pytest.MonkeyPatch):
    from vibecheck.access.roles import Role
    from vibecheck.ui.access import gate

    monkeypatch.setattr(gate, "role", lambda: Role.LABELLER)
    answered(store, 1, "sad")
    test = visited().run()
    assert "How good is it" not in said(test) and not test.main.button
