from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from tests.records.examples import JPEG, NOON, a_prediction
from tests.records.rows import queued
from vibecheck.errors import RecordsError, UnknownPrediction
from vibecheck.records.db.tables import predictions
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.outbox.messages import payload_of
from vibecheck.records.pictures import Pictures
from vibecheck.records.values import CANT_TELL, FeedbackUndone, PictureKept

SECOND = timedelta(seconds=1)


@pytest.fixture
def prediction(store):
    made = a_prediction()
    store.add(made, None)
    return made


def noted(engine, prediction):
    columns = predictions.c.label, predictions.c.labels_given, predictions.c.judged
    with reading(engine) as connection:
        return connection.execute(select(*columns).where(predictions.c.id == prediction.id)).one()


def test_prediction_row_stores_its_latest_label(store, engine, prediction):
    assert noted(engine, prediction) == (None, 0, False)
    store.label(prediction.id, "sad", "audit", "me", NOON)
    store.label(prediction.id, "fear", "labeller", "you", NOON + SECOND, "useful")
    assert noted(engine, prediction) == ("fear", 2, False)


def test_cant_tell_is_stored_as_a_label(store, engine, prediction):
    given = store.label(prediction.id, CANT_TELL, "labeller", "you", NOON, "random")
    assert store.feedback_of(prediction.id) == [given]
    assert noted(engine, prediction) == (CANT_TELL, 1, True)


def test_the_same_label_from_another_queue_is_another_feedback(store, prediction):
    queues = (None, "useful", "random")
    given = [store.label(prediction.id, "sad", "labeller", "you", NOON, queue) for queue in queues]
    assert [(each.n, each.queue) for each in given] == [(1, None), (2, "useful"), (3, "random")]


def test_undone_label_is_removed_and_the_undo_is_queued(store, engine, prediction):
    first = store.label(prediction.id, "sad", "volunteered", "me", NOON)
    second = store.label(prediction.id, "fear", "labeller", "you", NOON, "random")
    assert store.undo_label(prediction.id, 2, "you", NOON + SECOND) == second
    assert store.feedback_of(prediction.id) == [first]
    assert noted(engine, prediction) == ("sad", 2, False)
    told = queued(store)[-1]
    assert told.kind == "feedback_undone"
    assert told.payload == payload_of(FeedbackUndone(prediction.id, 2, NOON + SECOND))


def test_number_of_an_undone_label_is_not_reused(store, engine, prediction):
    store.label(prediction.id, "sad", "audit", "me", NOON)
    store.undo_label(prediction.id, 1, "me", NOON)
    assert noted(engine, prediction) == (None, 1, False)
    assert store.label(prediction.id, "fear", "audit", "me", NOON).n == 2


def test_label_can_be_undone_once_and_only_by_its_giver(store, prediction):
    given = store.label(prediction.id, "sad", "audit", "me", NOON)
    assert store.undo_label(prediction.id, 1, "you", NOON) is None
    assert store.undo_label(prediction.id, 7, "me", NOON) is None
    assert store.feedback_of(prediction.id) == [given]
    with ThreadPoolExecutor(4) as threads:
        undone = list(threads.map(lambda _: store.undo_label(prediction.id, 1, "me", NOON), range(4)))
    assert sorted(undone, key=str) == [given, None, None, None]
    assert [row.kind for row in queued(store)] == ["prediction", "feedback", "feedback_undone"]


def test_label_that_is_not_the_latest_can_be_undone(store, engine, prediction):
    store.label(prediction.id, "sad", "labeller", "you", NOON, "random")
    last = store.label(prediction.id, "fear", "volunteered", "me", NOON)
    store.undo_label(prediction.id, 1, "you", NOON)
    assert store.feedback_of(prediction.id) == [last]
    assert noted(engine, prediction) == ("fear", 2, False)


def test_label_is_not_undone_when_the_outbox_cannot_be_written(store, engine, prediction):
    given = store.label(prediction.id, "sad", "audit", "me", NOON)
    with writing(engine) as connection:
        connection.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))
    with pytest.raises(RecordsError, match="outbox"):
        store.undo_label(prediction.id, 1, "me", NOON)
    assert store.feedback_of(prediction.id) == [given]


@pytest.mark.parametrize("prediction_id", ["f" * 32, "", "\0", "<b>"])
def test_unknown_prediction_id_is_refused(store, prediction_id):
    for use in (
        lambda: store.undo_label(prediction_id, 1, None, NOON),
        lambda: store.keep_picture(prediction_id, JPEG, NOON),
        lambda: store.labelled(prediction_id),
    ):
        with pytest.raises(UnknownPrediction):
            use()


def test_picture_can_be_kept_after_the_prediction_was_added(store, prediction):
    kept = store.keep_picture(prediction.id, JPEG, NOON + SECOND)
    assert kept.picture_kept and store.get(prediction.id) == kept
    assert store.picture(prediction.id) == JPEG
    told = queued(store)[-1]
    assert told.kind == "picture_kept"
    assert told.payload == payload_of(PictureKept(kept.id, NOON + SECOND))


def test_a_picture_that_is_kept_is_not_replaced(store):
    made = a_prediction(picture_kept=True)
    store.add(made, JPEG)
    assert store.keep_picture(made.id, b"another", NOON) == made
    assert store.picture(made.id) == JPEG
    assert len(queued(store)) == 1


def test_picture_is_not_kept_when_the_outbox_cannot_be_written(store, engine, settings, prediction):
    with writing(engine) as connection:
        connection.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))
    with pytest.raises(RecordsError, match="outbox"):
        store.keep_picture(prediction.id, JPEG, NOON)
    assert not store.get(prediction.id).picture_kept
    assert not Pictures(settings.images_url).exists(prediction.id)
