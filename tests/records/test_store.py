from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from threading import Barrier

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from tests.databases import open_store
from tests.records.examples import EXAMPLE, JPEG, NOON, a_prediction
from tests.records.rows import queued, recent
from vibecheck.emotions import NAMES
from vibecheck.errors import RecordsError, UnknownPrediction
from vibecheck.records import recording
from vibecheck.records.db.connect import open_database
from vibecheck.records.db.transactions import writing
from vibecheck.records.outbox.messages import payload_of
from vibecheck.records.outbox.queue import RESTORE
from vibecheck.records.pictures import Pictures
from vibecheck.records.store import Store
from vibecheck.records.values import PREDICTION_SOURCES, ModelVersion, Play
from vibecheck.vision.faces import Face, FaceQuality

NOWHERE = "f" * 32
SECOND = timedelta(seconds=1)

# Postgres cannot hold NUL in text, and nothing encodes half a surrogate pair.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NUMBER = st.floats(-1e9, 1e9, exclude_min=True, exclude_max=True)
MOMENT = st.datetimes(
    datetime(1970, 1, 2),
    datetime(2200, 1, 1),
    timezones=st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
PREDICTION = st.builds(
    a_prediction,
    made_at=MOMENT,
    source=st.sampled_from(PREDICTION_SOURCES),
    mood=st.sampled_from(NAMES),
    confidence=st.floats(0, 1),
    probabilities=st.lists(st.floats(0.001, 1), min_size=7, max_size=7).map(
        lambda shares: tuple(share / sum(shares) for share in shares)
    ),
    model_version=TEXT,
    visitor=st.none() | TEXT,
    face=st.builds(
        Face,
        *[NUMBER] * 4,
        landmarks=st.lists(st.tuples(NUMBER, NUMBER), min_size=5, max_size=5).map(tuple),
        score=st.floats(0, 1),
    ),
    quality=st.builds(FaceQuality, *[NUMBER] * 5),
    latency_ms=NUMBER,
    audit=st.booleans(),
    picture_kept=st.booleans(),
)


def play(store, prediction_id, number=1, **changes):
    fields = {
        "playlist_id": f"37i9{number}",
        "playlist_name": "Sérénité 🎧",
        "mode": "match",
        "again": number > 1,
        "found_by": "search",
        "now": NOON + number * SECOND,
    }
    return store.played(prediction_id, **(fields | changes))


def break_the_next_add(database_url):
    """Whatever is added from now on fails at the last of its steps."""
    engine = open_database(database_url)
    with writing(engine) as connection:
        connection.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))
    engine.dispose()


# One store for all examples: each prediction has an id of its own.
@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(prediction=PREDICTION, jpeg=st.binary(max_size=100))
def test_a_prediction_comes_back_as_it_was(store, prediction, jpeg):
    picture = jpeg if prediction.picture_kept else None
    store.add(prediction, picture)
    found = store.get(prediction.id)
    assert found == prediction
    assert found.made_at.utcoffset() == timedelta(0)
    assert store.picture(prediction.id) == picture
    assert queued(store, 10_000)[-1].payload == payload_of(prediction)


def test_numpy_numbers_are_stored_as_plain_numbers(store):
    thirds = tuple(np.float32(number) for number in (0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1))
    quality = FaceQuality(*(np.float32(number) for number in (0.1, 2, 3, 4, 5)))
    landmarks = tuple((np.float32(x), np.float32(y)) for x, y in EXAMPLE.face.landmarks)
    face = replace(EXAMPLE.face, x=np.float32(0.1), landmarks=landmarks)
    prediction = a_prediction(probabilities=thirds, quality=quality, face=face, audit=np.bool_(True))
    store.add(prediction, None)
    found = store.get(prediction.id)
    assert found == prediction
    numbers = (*found.probabilities, found.quality.light, found.face.x, *found.face.landmarks[0])
    assert {type(number) for number in numbers} == {float}
    assert found.audit is True


def test_each_number_has_its_own_column(store, database_url):
    prediction = a_prediction()
    store.add(prediction, None)
    engine = open_database(database_url)
    with writing(engine) as connection:
        row = connection.execute(text("SELECT * FROM predictions")).mappings().one()
    engine.dispose()
    assert tuple(row[f"p_{name}"] for name in NAMES) == prediction.probabilities
    assert {name: row[name] for name in asdict(prediction.quality)} == asdict(prediction.quality)


def test_added_prediction_is_found_by_the_next_process(store, settings):
    prediction = a_prediction(picture_kept=True)
    store.add(prediction, JPEG)
    again = open_store(settings)
    assert (again.get(prediction.id), again.picture(prediction.id)) == (prediction, JPEG)
    again.close()


def test_adding_the_same_id_twice_is_refused(store):
    prediction = a_prediction(picture_kept=True)
    store.add(prediction, JPEG)
    with pytest.raises(RecordsError, match="stored already"):
        store.add(replace(prediction, mood="sad"), b"another picture")
    assert store.get(prediction.id) == prediction
    assert store.picture(prediction.id) == JPEG
    assert len(queued(store)) == 1


def test_adding_the_same_id_from_threads_stores_it_once(store):
    prediction = a_prediction(picture_kept=True)
    together = Barrier(6)

    def add(_):
        together.wait()
        try:
            store.add(prediction, JPEG)
        except RecordsError as error:
            return "stored already" in str(error)
        return "added"

    with ThreadPoolExecutor(6) as threads:
        outcomes = list(threads.map(add, range(6)))
    assert sorted(outcomes, key=str) == [True] * 5 + ["added"]
    assert store.picture(prediction.id) == JPEG
    assert (store.count(), len(queued(store))) == (1, 1)


@pytest.mark.parametrize(("kept", "picture"), [(True, None), (False, JPEG)])
def test_picture_is_required_exactly_when_picture_kept_is_set(store, kept, picture):
    prediction = a_prediction(picture_kept=kept)
    with pytest.raises(ValueError, match="picture_kept"):
        store.add(prediction, picture)
    assert store.count() == 0


def test_picture_is_deleted_if_the_row_cannot_be_written(store, database_url, tmp_path):
    store.add(a_prediction(picture_kept=True), JPEG)
    break_the_next_add(database_url)
    with pytest.raises(RecordsError, match="outbox"):
        store.add(a_prediction(picture_kept=True), JPEG)
    assert store.count() == 1
    assert len(list(tmp_path.rglob("input_*"))) == 1
    assert len(store.model_versions()) == 1


def lose_the_answer_to_commits(monkeypatch):
    """Commits reach the database, but their answers do not come back."""

    @contextmanager
    def commits_and_fails(engine):
        with writing(engine) as connection:
            yield connection
        raise RecordsError("The connection was lost.")

    monkeypatch.setattr(recording, "writing", commits_and_fails)


def test_picture_stays_if_its_row_was_committed_but_the_answer_was_lost(store, monkeypatch):
    added, kept_later = a_prediction(picture_kept=True), a_prediction()
    store.add(kept_later, None)
    lose_the_answer_to_commits(monkeypatch)
    with pytest.raises(RecordsError, match="lost"):
        store.add(added, JPEG)
    with pytest.raises(RecordsError, match="lost"):
        store.keep_picture(kept_later.id, JPEG, NOON)
    for each in (added, kept_later):
        assert store.get(each.id).picture_kept and store.picture(each.id) == JPEG


def test_no_row_is_written_if_the_picture_cannot_be(store, tmp_path):
    prediction = a_prediction(picture_kept=True)
    (tmp_path / "images").write_text("a file is in the way")
    with pytest.raises(RecordsError, match="could not be written"):
        store.add(prediction, JPEG)
    assert (store.count(), queued(store)) == (0, [])


def test_the_first_use_of_a_model_is_noted(store):
    store.add(a_prediction(model_version="v2", made_at=NOON + SECOND), None, "fine-tuned")
    store.add(a_prediction(model_version="v1"), None, "ships with VibeCheck")
    store.add(a_prediction(model_version="v2", made_at=NOON + 2 * SECOND), None, "another word")
    assert store.model_versions() == [
        ModelVersion("v1", "ships with VibeCheck", NOON),
        ModelVersion("v2", "fine-tuned", NOON + SECOND),
    ]


@pytest.mark.parametrize(
    "prediction_id", [NOWHERE, "", "\0", "../" + NOWHERE[3:], "'; DROP TABLE predictions"]
)
def test_unknown_prediction_id_is_refused(store, prediction_id):
    for use in (
        store.get,
        store.picture,
        store.feedback_of,
        store.plays_of,
        lambda unknown: store.label(unknown, "sad", "audit", None, NOON),
        lambda unknown: play(store, unknown),
    ):
        with pytest.raises(UnknownPrediction, match="no prediction with the id"):
            use(prediction_id)
    assert queued(store) == []


def test_labels_are_numbered_and_queued(store):
    prediction = a_prediction()
    store.add(prediction, None)
    store.add(a_prediction(), None)
    first = store.label(prediction.id, "sad", "audit", "me", NOON)
    second = store.label(prediction.id, "fear", "labeller", None, NOON + SECOND)
    assert (first.n, second.n) == (1, 2)
    assert store.feedback_of(prediction.id) == [first, second]
    assert [row.payload for row in queued(store)[2:]] == [payload_of(first), payload_of(second)]


def test_repeated_label_is_not_stored_twice(store):
    prediction = a_prediction()
    store.add(prediction, None)
    first = store.label(prediction.id, "sad", "audit", "me", NOON)
    assert store.label(prediction.id, "sad", "audit", "me", NOON + SECOND) == first
    assert store.feedback_of(prediction.id) == [first]
    assert len(queued(store)) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"label": "fear"},  # a change of mind
        {"given_by": "you"},  # a second opinion
        {"given_by": None},
        {"source": "volunteered"},  # only what was asked for measures the accuracy
    ],
)
def test_different_label_giver_or_source_is_stored_as_new_feedback(store, other):
    prediction = a_prediction()
    store.add(prediction, None)
    given = {"label": "sad", "source": "audit", "given_by": "me", "now": NOON}
    labels = [store.label(prediction.id, **fields) for fields in (given, given | other, given)]
    assert [label.n for label in labels] == [1, 2, 3]  # the last is new: meanwhile another one held
    assert store.feedback_of(prediction.id) == labels


def test_concurrent_labels_are_all_stored(store):
    prediction = a_prediction()
    store.add(prediction, None)
    together = Barrier(8)

    def press(number):
        together.wait()
        return store.label(prediction.id, "sad", "audit", f"visitor {number}", NOON)

    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(press, range(8)))
    assert sorted(label.n for label in given) == list(range(1, 9))
    assert store.feedback_of(prediction.id) == sorted(given, key=lambda label: label.n)
    assert len(queued(store)) == 9


def test_invalid_label_stores_nothing(store):
    prediction = a_prediction()
    store.add(prediction, None)
    with pytest.raises(ValueError, match="label must be one of"):
        store.label(prediction.id, "bored", "audit", None, NOON)
    assert store.feedback_of(prediction.id) == []


def test_labels_and_plays_are_not_stored_without_their_outbox_row(store, database_url):
    prediction = a_prediction()
    store.add(prediction, None)
    break_the_next_add(database_url)
    for use in (
        lambda: store.label(prediction.id, "sad", "audit", None, NOON),
        lambda: play(store, prediction.id),
    ):
        with pytest.raises(RecordsError, match="outbox"):
            use()
    assert (store.feedback_of(prediction.id), store.plays_of(prediction.id)) == ([], [])


def test_plays_are_numbered_and_queued(store):
    prediction = a_prediction()
    store.add(prediction, None)
    first, second = play(store, prediction.id), play(store, prediction.id, 2)
    assert second == Play(
        prediction.id, 2, "37i92", "Sérénité 🎧", "match", True, "search", NOON + 2 * SECOND
    )
    assert store.plays_of(prediction.id) == [first, second]
    assert [row.payload for row in queued(store)[1:]] == [payload_of(first), payload_of(second)]


def test_concurrent_plays_are_all_stored(store):
    prediction = a_prediction()
    store.add(prediction, None)
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda number: play(store, prediction.id, number), range(8)))
    assert sorted(suggested.n for suggested in given) == list(range(1, 9))


def test_recent_lists_only_the_visitors_predictions_newest_first(store):
    mine = [a_prediction(visitor="me", made_at=NOON + number * SECOND) for number in (2, 0, 1)]
    for prediction in (*mine, a_prediction(visitor="you"), a_prediction(visitor=None)):
        store.add(prediction, None)
    assert recent(store, "me", 10) == [mine[0], mine[2], mine[1]]
    assert recent(store, "me", 2) == [mine[0], mine[2]]
    assert recent(store, "nobody", 10) == []


def test_pictured_lists_predictions_with_a_picture_newest_first(store):
    kept = [a_prediction(picture_kept=True, made_at=NOON + timedelta(seconds=n)) for n in range(3)]
    for prediction in kept:
        store.add(prediction, JPEG)
    store.add(a_prediction(made_at=NOON + timedelta(seconds=9)), None)
    assert store.pictured(10) == kept[::-1]
    assert store.pictured(2) == kept[:0:-1]


def test_missing_picture_file_reads_as_none(store, tmp_path):
    prediction = a_prediction(picture_kept=True)
    store.add(prediction, JPEG)
    next((tmp_path / "images").rglob("*.jpg")).unlink()
    assert store.picture(prediction.id) is None


def test_check_says_where_the_records_are(store):
    store.add(a_prediction(), None)
    store.outbox().schedule(RESTORE, RESTORE, {})  # a task, which is no record
    assert store.check().endswith(": 1 prediction, 1 record waiting to be sent.")
    assert store.check().startswith(("SQLite database /", "Postgres database "))


def test_check_fails_if_the_database_is_read_only(engine, settings):
    read_only = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY"}
    event.listen(engine, "begin", lambda begun: begun.exec_driver_sql(read_only[engine.dialect.name]))
    with pytest.raises(RecordsError, match="is read-only"):
        Store(engine, Pictures(settings.images_url)).check()


def test_a_check_fails_where_a_table_is_missing(store, database_url):
    break_the_next_add(database_url)
    with pytest.raises(RecordsError, match="outbox"):
        store.check()
