import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, text

from tests.records.examples import JPEG, NOON, PLAY, a_prediction
from tests.records.rows import engine_of, queued, recent
from tests.waiting import a_writer_that_waits
from vibecheck.errors import RecordsError, UnknownPrediction
from vibecheck.records.db.tables import feedback, metadata, outbox, plays, predictions
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.deletion import purge as purge_module
from vibecheck.records.outbox.messages import enqueue
from vibecheck.records.pictures import Pictures
from vibecheck.records.values import Feedback

DAY = timedelta(days=1)
NOWHERE = "f" * 32


def add(store, made_at, picture=JPEG):
    """A prediction with everything that can hang on one."""
    prediction = a_prediction(made_at=made_at, picture_kept=picture is not None)
    store.add(prediction, picture)
    store.label(prediction.id, "sad", "audit", None, made_at)
    store.played(prediction.id, again=False, now=made_at, **PLAY)
    return prediction


def counts(engine):
    with reading(engine) as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (predictions, feedback, plays, outbox)
        ]


def pictures(tmp_path):
    return sorted(path.name for path in (tmp_path / "images").rglob("*") if path.is_file())


def test_purge_deletes_old_predictions_with_their_labels_plays_and_pictures(store, engine, tmp_path):
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


def test_killed_purge_leaves_no_picture_without_a_row(store, engine, tmp_path, monkeypatch):
    for number in range(3):
        add(store, NOON - number * DAY)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(purge_module, "writing", die)
        with pytest.raises(KeyboardInterrupt):
            store.purge(NOON + DAY)
    rows = {prediction.picture_name for prediction in recent(store, "a1b2", 10)}
    assert set(pictures(tmp_path)) <= rows
    assert all(store.picture(prediction.id) is None for prediction in recent(store, "a1b2", 10))
    assert store.purge(NOON + DAY) == 3
    assert (counts(engine), pictures(tmp_path)) == ([0, 0, 0, 0], [])


def test_row_is_kept_while_its_picture_cannot_be_deleted(store, engine, monkeypatch):
    add(store, NOON)

    def refuse(*_):
        raise RecordsError("the disk is read-only")

    with monkeypatch.context() as patch:
        patch.setattr(Pictures, "delete", refuse)
        with pytest.raises(RecordsError, match="read-only"):
            store.purge(NOON + DAY)
    assert counts(engine)[0] == 1


def test_vibe_checks_without_a_picture_are_deleted_while_the_storage_of_the_pictures_fails(store, settings):
    for _ in range(3):
        store.add(a_prediction(visitor="me"), None)
    (settings.data / "images").write_text("a file is in the way")
    assert store.forget_visitor("me", NOON) == 3


def test_purge_deletes_old_pictures_that_have_no_row(store, tmp_path, settings):
    lost, kept = a_prediction(), add(store, datetime.now(UTC) + DAY)
    Pictures(settings.images_url).put(lost.id, JPEG)
    assert store.purge(datetime.now(UTC) - DAY) == 0
    assert len(pictures(tmp_path)) == 2
    assert store.purge(datetime.now(UTC) + DAY / 2) == 0
    assert pictures(tmp_path) == [kept.picture_name]


def test_a_label_given_during_the_purge_does_not_stay_in_the_outbox(store, engine):
    prediction = a_prediction()
    store.add(prediction, None)
    with ThreadPoolExecutor(1) as threads, a_writer_that_waits(engine_of(store)) as wait_for_it:
        with writing(engine) as connection:
            late = Feedback(prediction.id, 1, "sad", "audit", None, NOON)
            connection.execute(insert(feedback).values(asdict(late)))
            enqueue(connection, late)
            purged = threads.submit(store.purge, NOON + DAY)
            wait_for_it()
            assert not purged.done()
        assert purged.result() == 1
    assert counts(engine) == [0, 0, 0, 0]


def test_picture_that_its_record_does_not_keep_is_deleted_after_an_hour(store, tmp_path):
    prediction = a_prediction(made_at=datetime.now(UTC))
    store.add(prediction, None)
    store.pictures.put(prediction.id, JPEG)  # neither its row nor its deletion succeeded
    store.purge(NOON)
    assert pictures(tmp_path) == [prediction.picture_name]
    (path,) = tmp_path.rglob(prediction.picture_name)
    os.utime(path, (0, 0))
    store.purge(NOON)
    assert pictures(tmp_path) == [] and store.count() == 1


def test_a_prediction_that_counts_as_unsent_cannot_be_claimed_during_the_purge(store, monkeypatch):
    store.add(a_prediction(), None)
    forget, claims = purge_module.summaries.forget, []
    with ThreadPoolExecutor(1) as thread:

        def forget_while_a_sender_claims(connection, ids):
            claims.append(thread.submit(store.outbox().claim, 9))
            if connection.dialect.name == "postgresql":  # SQLite's writers wait for each other
                claims[0].result(60)
            forget(connection, ids)

        monkeypatch.setattr(purge_module.summaries, "forget", forget_while_a_sender_claims)
        assert store.purge(NOON + DAY) == 1
        assert claims[0].result(60) == [] and queued(store) == []


def test_a_time_without_a_zone_is_refused(store):
    with pytest.raises(ValueError, match="time zone"):
        store.purge(NOON.replace(tzinfo=None))


def test_every_table_that_names_a_prediction_is_purged():
    """A table that is added later must be thought of here."""
    naming = {table.name for table in metadata.tables.values() if "prediction_id" in table.c}
    # Ids alone stay: of what is deleted in Comet too, so that none is read back, and of what models learned.
    assert naming - {"forgotten", "trained_on"} == {
        "feedback",
        "plays",
        "outbox",
        "outcomes",
        "readings",
    }


def kinds(store):
    return [(row.kind, row.prediction_id) for row in queued(store)]


def sent(engine):
    """Everything in the outbox was delivered."""
    with writing(engine) as connection:
        connection.execute(outbox.delete())


def test_purge_queues_a_deletion_for_predictions_that_were_sent(store, engine):
    old = add(store, NOON - DAY)
    sent(engine)
    waiting = add(store, NOON - DAY)
    store.purge(NOON)
    assert kinds(store) == [("deletion", old.id)], "of the other nothing was sent, and nothing will be"
    assert waiting.id not in str(queued(store))
    store.purge(NOON)
    assert kinds(store) == [("deletion", old.id)]


def test_forget_deletes_rows_and_picture_and_queues_a_deletion(store, engine, tmp_path):
    here, other = add(store, NOON), add(store, NOON)
    assert store.forget([here.id, NOWHERE, "../etc", here.id], NOON + DAY) == {here.id}
    assert counts(engine) == [1, 1, 1, 4]
    assert pictures(tmp_path) == [other.picture_name]
    last = queued(store)[-1]
    assert (last.kind, last.prediction_id) == ("deletion", here.id)
    assert last.payload == {
        "prediction_id": here.id,
        "made_at": NOON.isoformat(),
        "deleted_at": (NOON + DAY).isoformat(),
    }
    assert store.forget([here.id], NOON) == set()
    assert store.forget([], NOON) == set()


def test_forget_visitor_deletes_only_that_visitors_predictions(store, engine, tmp_path, monkeypatch):
    monkeypatch.setattr(purge_module, "BATCH", 2)
    for number in range(5):
        prediction = a_prediction(visitor="me", picture_kept=bool(number % 2))
        store.add(prediction, JPEG if number % 2 else None)
        store.label(prediction.id, "sad", "audit", "me", NOON)
    others = [a_prediction(visitor=visitor, picture_kept=True) for visitor in ("you", None)]
    for prediction in others:
        store.add(prediction, JPEG)
    assert store.forget_visitor("me", NOON) == 5
    assert recent(store, "me", 10) == []
    assert counts(engine) == [2, 0, 0, 2 + 5]
    assert pictures(tmp_path) == sorted(each.picture_name for each in others)
    assert store.forget_visitor("me", NOON) == 0


def test_deletion_is_queued_after_earlier_messages_about_its_prediction(store, engine):
    """An upload may be on its way while the visitor deletes: the deletion must come after it."""
    prediction = add(store, NOON)
    sent_last = queued(store)[-1].id
    store.forget([prediction.id], NOON)
    (row,) = queued(store)
    assert row.kind == "deletion" and row.id > sent_last


def test_concurrent_deletions_of_one_prediction_are_queued_once(store):
    ids = [add(store, NOON).id for _ in range(10)]
    with ThreadPoolExecutor(2) as threads:
        gone = list(threads.map(lambda _: store.forget(ids, NOON), range(2)))
    assert sorted([*gone[0], *gone[1]]) == sorted(ids)
    assert sorted(kinds(store)) == sorted(("deletion", each) for each in ids)


def test_picture_kept_during_a_deletion_is_deleted_too(store, tmp_path, monkeypatch):
    prediction = add(store, NOON, picture=None)
    found = purge_module.fetch

    def allowed_meanwhile(engine, query):
        batch = found(engine, query)
        store.keep_picture(prediction.id, JPEG, NOON)
        return batch

    with monkeypatch.context() as patch:
        patch.setattr(purge_module, "fetch", allowed_meanwhile)
        assert store.forget([prediction.id], NOON) == {prediction.id}
    assert pictures(tmp_path) == []


def test_prediction_is_not_deleted_when_the_outbox_cannot_be_written(store, engine):
    prediction = add(store, NOON, picture=None)
    with writing(engine) as connection:
        connection.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))
    with pytest.raises(RecordsError, match="outbox"):
        store.forget([prediction.id], NOON)
    assert store.get(prediction.id) == prediction


def test_picture_restored_before_the_deletion_commits_is_deleted_too(store, monkeypatch):
    prediction = add(store, NOON)
    subtract = purge_module.summaries.forget

    def restore_meanwhile(connection, ids):
        store.pictures.put(prediction.id, JPEG)
        subtract(connection, ids)

    monkeypatch.setattr(purge_module.summaries, "forget", restore_meanwhile)
    assert store.forget([prediction.id], NOON) == {prediction.id}
    assert not store.pictures.exists(prediction.id)
