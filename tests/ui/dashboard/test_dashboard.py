"""The dashboard's page, run as Streamlit runs it, over real records."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.harness.history import fill
from tests.databases import open_store
from tests.models.test_promotion import audits
from tests.records.examples import JPEG, a_prediction
from tests.records.rows import add_labelled, engine_of
from tests.ui.conftest import forget
from tests.ui.examples import face, shares
from vibecheck.access.roles import Role
from vibecheck.errors import RecordsError
from vibecheck.models.live_model import LiveModel
from vibecheck.models.registry import Registry
from vibecheck.records import learned_calibration
from vibecheck.records.db.connect import open_database
from vibecheck.records.db.transactions import writing
from vibecheck.records.labels.keep_question import count
from vibecheck.records.learned_calibration import LearnedCalibration
from vibecheck.records.pictures import Pictures
from vibecheck.records.store import Store
from vibecheck.records.values import Feedback
from vibecheck.settings import Settings
from vibecheck.ui.access import gate
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.temperature_scaling import NO_BIAS

ROOT = Path(__file__).parents[3]
PAGE = str(ROOT / "pages" / "2_Dashboard.py")
NOW = datetime.now(UTC)
SHIPPED = Manifest.read(EMBEDDED).version


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The records that the page will open, still empty, as an analyst."""
    monkeypatch.setattr(gate, "role", lambda: Role.ANALYST)
    monkeypatch.setenv("VIBECHECK_DATA", str(tmp_path))
    monkeypatch.setenv("VIBECHECK_RETENTION_DAYS", "3650")
    st.cache_data.clear()
    forget()
    opened = open_store(Settings(data=tmp_path))
    yield opened
    opened.close()
    st.cache_data.clear()
    forget()


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
    test.session_state.visitor = "0" * 32
    return test


def said(test: AppTest) -> str:
    """All words of the page."""
    html = [str(each.proto.body) for each in test.get("html")]
    return " ".join([*html, *(each.value for each in test.markdown)])


def answered(store: Store, number: int, label: str, **changes) -> list[str]:
    """Audits of as many visitors, all with this answer."""
    made = [a_prediction(made_at=NOW, audit=True, visitor=uuid4().hex * 2, **changes) for _ in range(number)]
    add_labelled(store, made, [Feedback(each.id, 1, label, "audit", None, NOW) for each in made])
    return [each.id for each in made]


def cards(test: AppTest) -> list[str]:
    """The headings of the cards."""
    return re.findall(r'<h2 class="vcd-title">([^<]+)', said(test))


def test_dashboard_with_few_answers_is_one_card_that_says_how_to_get_more(store):
    answered(store, 29, "sad")
    test = page()
    assert [each.strip() for each in cards(test)] == ["29 of 30 answers"]
    assert "raise VIBECHECK_AUDIT_SHARE" in said(test) and not test.get("vega_lite_chart")
    answered(store, 1, "sad")
    st.cache_data.clear()
    test = page()
    assert "Confusion matrix" in " ".join(cards(test)) and test.get("vega_lite_chart")


def test_dashboard_without_records_shows_zero_answers(store):
    test = page()
    assert cards(test) == ["0 of 30 answers"] and "Vibe checks so far: 0;" in said(test)


def test_the_cards_have_standard_titles_the_headline_first(store):
    answered(store, 40, "sad")
    test = page()
    assert [each.strip() for each in cards(test)] == [
        "Accuracy over time", "Confusion matrix", "Examples", "Error slices", "Retrain?",
        "Most confused pairs", "Calibration", "Drift", "Models", "Volume", "Playlists skipped",
    ]  # fmt: skip
    assert said(test).index("Accuracy with users") < said(test).index("Accuracy over time")
    assert "Keep this face crop?" not in said(test)


def test_share_of_visitors_who_agree_to_keep_their_face_is_shown(store):
    answered(store, 30, "sad")
    for _ in range(4):
        count(store.notes, "asked")
    count(store.notes, "agreed")
    assert "25% said yes (5–70%; 1 of 4, over all time)" in said(page())


def test_model_in_use_is_shown_as_soon_as_it_changes(store, monkeypatch):
    answered(store, 40, "sad", model_version=SHIPPED)
    test = page()
    assert f"{SHIPPED} · in use" in said(test)
    registry = Registry(engine_of(store))
    registry.register("tuned", "a test", "/nowhere", {}, NOW)
    registry.promote("tuned", "a test", NOW, override=True)
    tuned = Manifest.read(EMBEDDED).model_copy(update={"version": "tuned"})
    monkeypatch.setattr(LiveModel, "manifest", property(lambda _: tuned))
    words = said(test.run())
    assert "tuned · in use" in words and f"{SHIPPED} · in use" not in words


def test_models_are_compared_and_a_trainer_promotes_the_proved_one(store, monkeypatch):
    registry = Registry(engine_of(store))
    registry.register(SHIPPED, "ships", "embedded", {}, NOW)
    registry.begin(SHIPPED, "the first model", NOW)
    registry.register("tuned", "a test", "/nowhere", {}, NOW)
    registry.challenge("tuned")
    audits(store, 14, NOW, shipped=False, new=True)
    audits(store, 26, NOW, shipped=True, new=True)
    test = page()
    assert re.search(rf"tuned is 35 points ahead of {SHIPPED} \(\d+ to \d+\), on 40 labels", said(test))
    assert not [each for each in test.button if each.key == "promote-tuned"], "an analyst cannot"
    monkeypatch.setattr(gate, "role", lambda: Role.TRAINER)
    test = page()
    next(each for each in test.button if each.key == "promote-tuned").click().run()
    assert registry.champion().version == "tuned" and registry.promotions()[0].kind == "promotion"
    assert not [each for each in test.button if each.key == "promote-tuned"]


def test_dashboard_and_fine_tune_show_the_same_label_and_live_figures(store, monkeypatch):
    """Labels without a picture are not usable; a model that was promoted is live since then."""
    answered(store, 30, "sad")
    for label in ("sad", "happy"):
        prediction = a_prediction(made_at=NOW, picture_kept=True)
        store.add(prediction, JPEG)
        store.label(prediction.id, label, "volunteered", None, NOW)
    registry = Registry(engine_of(store))
    live = Manifest.read(EMBEDDED).version
    registry.register(live, "VibeCheck", "embedded", {}, NOW)
    registry.begin(live, "The first model.", NOW)
    words = said(page())
    assert "Only 2 usable new labels of the 100 needed" in words and "No label looks wrong" in words
    days = (datetime.now(UTC).date() - NOW.date()).days  # one, where midnight has passed since the import
    assert f"{days} day{'' if days == 1 else 's'} since this model went live" in words
    assert f"{live} · in use" in words
    monkeypatch.setattr(gate, "role", lambda: Role.TRAINER)
    test = AppTest.from_file(str(ROOT / "pages" / "3_Fine-tune.py"), default_timeout=120)
    test.session_state.visitor, test.session_state.new_visitor = "0" * 32, False
    assert "2 usable, 0 look wrong" in said(test.run())


def test_accuracy_is_compared_with_the_agreement_of_labellers(store):
    answered(store, 30, "happy")
    for number in range(30):
        prediction = a_prediction(made_at=NOW, visitor=f"v{number}", picture_kept=True)
        store.add(prediction, JPEG)
        second = "sad" if number % 3 == 0 else "happy"
        for labeller, mood in (("ann", "happy"), ("ben", second)):
            store.label(prediction.id, mood, "labeller", labeller, NOW, "random")
    words = said(page())
    assert "Labellers agree on 67% (κ" in words and "the model agrees with them on 83%" in words


def test_dashboard_works_when_all_answers_are_wrong_and_of_one_mood(store):
    answered(store, 31, "sad")
    words = said(page())
    assert "31 of 31 mistakes" in words and ">0%<" in words


def test_dashboard_shows_no_confused_pair_when_all_answers_are_right(store):
    answered(store, 31, "happy")
    words = said(page())
    assert "No mistake in 31 answers." in words and ">100%<" in words


def test_prediction_in_the_address_shows_its_labels_and_quality(store):
    (prediction_id,) = answered(store, 1, "sad")
    words = said(page(prediction_id=prediction_id))
    assert "Sad · audit" in words and "None yet." in words and "Light 120" in words


def test_trace_shows_what_is_recorded_while_the_picture_storage_fails(store, monkeypatch):
    def unavailable(*_):
        raise RecordsError("A picture could not be read.")

    prediction = a_prediction(made_at=NOW, picture_kept=True)
    store.add(prediction, face())
    monkeypatch.setattr(Pictures, "get", unavailable)
    test = page(prediction_id=prediction.id)
    assert test.warning[0].value == "A picture could not be read." and "Light 120" in said(test)


def test_overconfidence_and_the_learned_correction_are_described(store):
    answered(store, 20, "sad", **shares("happy", 0.82))
    ids = answered(store, 20, "happy", **shares("happy", 0.82))
    words = said(page())
    assert "It says 82% and is right in 50% (35–65%)." in words
    assert "Calibration on audits starts when this model has 50 of them: 40 so far." in words
    new = LearnedCalibration(
        2.5, NO_BIAS, 60, 50, 1.9, 1.4, 0.31, 0.06, id="c" * 32, version="embedded-3", from_when=NOW
    )
    with writing(engine_of(store)) as connection:
        learned_calibration.add(connection, new)
    (under,) = answered(store, 1, "sad", calibration=new.id)
    st.cache_data.clear()
    words = said(page(prediction_id=under))
    assert "on 60 audits: temperature 2.5." in words and "60 audits, temperature 2.5" in words
    assert "Calibration: as shipped" in said(page(prediction_id=ids[0]))


def test_malformed_or_unknown_id_shows_a_warning(store):
    test = page()
    test.text_input(key="searched").set_value("../../etc").run()
    assert "32 characters" in test.warning[0].value
    test.text_input(key="searched").set_value("f" * 32).run()
    assert "There is no prediction" in test.warning[0].value


def test_long_history_fills_every_card_and_filters_change_it(store, tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'vibecheck.db'}")
    fill(engine, 3000, 120, NOW)
    engine.dispose()
    test = page()
    test.segmented_control(key="period").set_value("all").run()
    assert not test.exception
    words = said(test)
    assert "Accuracy with users over all time" in words and "· significant" in words
    before = words.count('class="vcd-face')
    assert before == 12
    test.selectbox(key="only-source").set_value("photo").run()
    assert not test.exception and said(test) != words


def test_a_picture_that_was_kept_is_shown(store):
    prediction = a_prediction(made_at=NOW, audit=True, picture_kept=True)
    store.add(prediction, face())
    store.label(prediction.id, "sad", "audit", None, NOW)
    answered(store, 30, "happy")
    assert "data:image/jpeg;base64" in said(page())


def test_records_that_cannot_be_read_show_an_error(store, tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIBECHECK_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:9/none")
    test = visited().run()
    assert not test.exception and "VIBECHECK_DATABASE_URL" in test.error[0].value


def test_roles_below_analyst_do_not_see_the_dashboard(store, monkeypatch: pytest.MonkeyPatch):
    from vibecheck.access.roles import Role
    from vibecheck.ui.access import gate

    monkeypatch.setattr(gate, "role", lambda: Role.LABELLER)
    answered(store, 1, "sad")
    test = visited().run()
    assert "How good is it" not in said(test) and not test.main.button
