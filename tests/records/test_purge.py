import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select

from tests.records.examples import JPEG, NOON, a_prediction
from vibecheck.errors import RecordsError, UnknownPrediction
from vibecheck.records import purge as purge_module
from vibecheck.records.images import Images
from vibecheck.records.outbox import enqueue
from vibecheck.records.tables import feedback, metadata, outbox, plays, predictions
from vibecheck.records.transactions import reading, writing
from vibecheck.records.values import Feedback

DAY = timedelta(days=1)


def add(store, made_at, picture=JPEG):
    """A prediction with everything that can hang on one."""
    prediction = a_prediction(made_at=made_at, picture_kept=picture is not None)
    store.add(prediction, picture)
    store.label(prediction.id, "sad", "audit", None, made_at)
    store.played(
        prediction.id,
        playlist_id="37i9",
        playlist_name="Calm",
        mode="match",
        again=False,
        found_by="search",
        now=made_at,
    )
    return prediction


def counts(engine):
    with reading(engine) as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (predictions, feedback, plays, outbox)
        ]


def pictures(tmp_path):
    return sorted(path.name for path in (tmp_path / "images").rglob("*") if path.is_file())


def test_what_is_old_goes_with_all_that_hangs_on_it(store, engine, tmp_path):
    old = add(store, NOON - DAY)
    edge, young = add(store, NOON), add(store, NOON + DAY)
    assert store.purge(NOON) == 1
    assert counts(engine) == [2, 2, 2, 6]
    assert pictures(tmp_path) == sorted([edge.picture_name, young.picture_name])
    with pytest.raises(UnknownPrediction):
        store.get(old.id)
    assert store.purge(NOON) == 0


def test_a_purge_works_in_batches(store, engine, tmp_path, monkeypatch):
    monkeypatch.setattr(purge_module, "BATCH", 2)
    monkeypatch.setattr(purge_module, "QUESTION", 2)
    for number in range(5):
        add(store, NOON - number * DAY, JPEG if number % 2 else None)
    kept = add(store, NOON + DAY)
    assert store.purge(NOON + DAY / 2) == 5
    assert counts(engine) == [1, 1, 1, 3]
    assert pictures(tmp_path) == [kept.picture_name]


def test_two_purges_at_once_count_each_prediction_once(store, engine, monkeypatch):
    monkeypatch.setattr(purge_module, "BATCH", 5)
    for number in range(20):
        add(store, NOON - number * DAY)
    with ThreadPoolExecutor(2) as threads:
        deleted = list(threads.map(lambda _: store.purge(NOON + DAY), range(2)))
    assert sum(deleted) == 20
    assert counts(engine) == [0, 0, 0, 0]


def test_a_purge_that_dies_leaves_no_picture_without_a_row(store, engine, tmp_path, monkeypatch):
    for number in range(3):
        add(store, NOON - number * DAY)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(purge_module, "_delete_rows", die)
        with pytest.raises(KeyboardInterrupt):
            store.purge(NOON + DAY)
    rows = {prediction.picture_name for prediction in store.recent("a1b2", 10)}
    assert set(pictures(tmp_path)) <= rows
    assert all(store.picture(prediction.id) is None for prediction in store.recent("a1b2", 10))
    assert store.purge(NOON + DAY) == 3
    assert (counts(engine), pictures(tmp_path)) == ([0, 0, 0, 0], [])


def test_a_row_stays_as_long_as_its_picture_cannot_be_deleted(store, engine, monkeypatch):
    add(store, NOON)

    def refuse(*_):
        raise RecordsError("the disk is read-only")

    with monkeypatch.context() as patch:
        patch.setattr(Images, "delete", refuse)
        with pytest.raises(RecordsError, match="read-only"):
            store.purge(NOON + DAY)
    assert counts(engine)[0] == 1


def test_a_picture_that_never_got_its_row_goes_when_it_is_old(store, tmp_path, settings):
    lost, kept = a_prediction(), add(store, datetime.now(UTC) + DAY)
    Images(settings.images_url).put(lost.id, JPEG)
    assert store.purge(datetime.now(UTC) - DAY) == 0
    assert len(pictures(tmp_path)) == 2
    assert store.purge(datetime.now(UTC) + DAY / 2) == 0
    assert pictures(tmp_path) == [kept.picture_name]


def test_a_label_given_during_the_purge_does_not_stay_in_the_outbox(store, engine):
    prediction = a_prediction()
    store.add(prediction, None)
    with ThreadPoolExecutor(1) as threads:
        with writing(engine) as connection:
            late = Feedback(prediction.id, 1, "sad", "audit", None, NOON)
            connection.execute(insert(feedback).values(asdict(late)))
            enqueue(connection, late)
            purged = threads.submit(store.purge, NOON + DAY)
            time.sleep(0.3)  # by now the purge waits for the label
            assert not purged.done()
        assert purged.result() == 1
    assert counts(engine) == [0, 0, 0, 0]


def test_a_time_without_a_zone_is_refused(store):
    with pytest.raises(ValueError, match="time zone"):
        store.purge(NOON.replace(tzinfo=None))


def test_every_table_that_names_a_prediction_is_purged():
    """A table that is added later must be thought of here."""
    naming = {table.name for table in metadata.tables.values() if "prediction_id" in table.c}
    assert naming == {"feedback", "plays", "outbox", "outcomes"}
