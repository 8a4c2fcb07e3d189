"""Merging adds what is new, changes nothing when repeated, and never restores what was deleted."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert

from tests.records.examples import NOON, a_prediction
from tests.records.rows import engine_of, queued
from tests.waiting import a_writer_that_waits
from vibecheck.records import merge as merge_module
from vibecheck.records.db.tables import outbox, predictions
from vibecheck.records.db.transactions import writing
from vibecheck.records.merge import (
    BATCH,
    Merged,
    RestoredPrediction,
    forget,
)
from vibecheck.records.outbox.messages import enqueue
from vibecheck.records.stats.results import Scope
from vibecheck.records.values import Deletion, Feedback, Play


def label(prediction, n, mood, **changes):
    return replace(Feedback(prediction.id, n, mood, "audit", None, NOON), **changes)


def remembered(prediction, *labels, plays=()):
    return RestoredPrediction(prediction, "the project's own", labels, plays)


def test_merged_records_are_unchanged_and_not_sent_again(store):
    prediction = a_prediction()
    labels = label(prediction, 1, "sad"), label(prediction, 2, "fear")
    play = Play(prediction.id, 1, "37i9", "Sérénité", "match", False, "search", NOON)
    assert store.merge([remembered(prediction, *labels, plays=(play,))]) == Merged(1, 2)
    assert store.get(prediction.id) == prediction
    assert store.feedback_of(prediction.id) == list(labels)
    assert store.plays_of(prediction.id) == [play]
    assert queued(store) == []


def test_play_with_and_without_its_playlist_name_is_merged_once(store):
    prediction = a_prediction()
    play = Play(prediction.id, 1, "37i9", "Sérénité", "match", False, "search", NOON, "fear")
    store.merge([remembered(prediction, plays=(play,))])
    store.merge([remembered(prediction, plays=(replace(play, playlist_name=""),))])
    assert store.plays_of(prediction.id) == [play]


def test_merging_again_changes_nothing(store):
    prediction = a_prediction()
    told = [remembered(prediction, label(prediction, 1, "sad"))]
    store.merge(told)
    assert store.merge(told) == Merged(0, 0)
    assert len(store.feedback_of(prediction.id)) == 1


def test_merge_handles_more_than_one_batch(store):
    told = [remembered(a_prediction()) for _ in range(BATCH + 1)]
    assert store.merge(told) == Merged(BATCH + 1, 0)
    assert store.count() == BATCH + 1


def test_labels_given_here_and_elsewhere_under_one_number_are_both_kept(store):
    prediction = a_prediction()
    store.add(prediction, None)
    here = store.label(prediction.id, "happy", "labeller", "me", NOON + timedelta(days=1))
    told = [remembered(prediction, label(prediction, 1, "sad"))]
    assert store.merge(told) == Merged(0, 1)
    assert store.merge(told) == Merged(0, 0)
    assert store.feedback_of(prediction.id) == [here, label(prediction, 2, "sad")]


def test_label_that_was_undone_here_is_not_merged_back(store):
    prediction = a_prediction()
    store.add(prediction, None)
    undone = store.label(prediction.id, "happy", "volunteered", "me", NOON)
    store.undo_label(prediction.id, undone.n, "me", NOON)
    other = label(prediction, 2, "sad")
    assert store.merge([remembered(prediction, undone, other)]) == Merged(0, 1)
    assert store.feedback_of(prediction.id) == [other]


def test_merging_in_any_order_keeps_the_earliest_first_use_of_a_model(store):
    late, early = a_prediction(), a_prediction(made_at=NOON - timedelta(days=3))
    store.merge([remembered(late)])
    store.merge([remembered(early)])
    (model,) = store.model_versions()
    assert (model.origin, model.first_used_at) == ("the project's own", early.made_at)
    assert store.model_origin(late.model_version) == "the project's own"
    assert store.model_origin("another") == "unknown"


@pytest.mark.parametrize("delivered", [False, True])
def test_deleted_prediction_is_not_merged_back(store, delivered):
    prediction = a_prediction()
    with writing(engine_of(store)) as connection:
        if delivered:
            forget(connection, prediction.id, NOON)
            forget(connection, prediction.id, NOON)
        else:
            row = {"kind": "deletion", "prediction_id": prediction.id, "payload": {}, "created_at": NOON}
            connection.execute(insert(outbox).values(row))
    assert store.merge([remembered(prediction)]) == Merged(0, 0)
    assert store.count() == 0


def test_a_deleted_prediction_is_never_restored_however_long_ago_it_was(store):
    long_ago, new = a_prediction(), a_prediction()
    with writing(engine_of(store)) as connection:
        forget(connection, long_ago.id, NOON)
        forget(connection, new.id, NOON + timedelta(days=4000))
    assert store.merge([remembered(long_ago), remembered(new)]) == Merged(0, 0)
    assert store.forgotten_among([long_ago.id, "0" * 32]) == {long_ago.id}


def test_history_lists_predictions_oldest_first_with_their_latest_label(store, monkeypatch):
    monkeypatch.setattr("vibecheck.records.labels.pagination.PAGE", 2)
    made = [a_prediction(made_at=NOON + timedelta(seconds=second)) for second in (0, 1, 1, 1, 2)]
    for prediction in made:
        store.add(prediction, None)
    store.label(made[0].id, "sad", "audit", None, NOON)
    last = store.label(made[0].id, "fear", "labeller", None, NOON)
    expected = sorted(made, key=lambda each: (each.made_at, each.id))
    assert list(store.history()) == [(expected[0], last), *((each, None) for each in expected[1:])]


def test_with_pictures_returns_only_predictions_whose_picture_is_kept(store):
    kept, bare = a_prediction(picture_kept=True), a_prediction()
    store.add(kept, b"\xff\xd8")
    store.add(bare, None)
    assert store.with_pictures([kept.id, bare.id, "0" * 32]) == {kept.id}


def test_prediction_whose_deletion_is_committed_during_the_merge_stays_deleted(store):
    prediction = a_prediction()
    engine = engine_of(store)
    store.add(prediction, None)
    with ThreadPoolExecutor(1) as thread, a_writer_that_waits(engine) as wait_for_it:
        with writing(engine) as connection:
            connection.execute(delete(predictions))
            enqueue(connection, Deletion(prediction.id, prediction.made_at, NOON))
            merged = thread.submit(store.merge, [remembered(prediction)])
            wait_for_it()
        assert merged.result() == Merged(0, 0)
    assert store.count() == 0


def test_prediction_that_two_restores_merge_at_once_is_counted_once(store):
    engine, told = engine_of(store), [remembered(a_prediction())]
    with ThreadPoolExecutor(1) as thread, a_writer_that_waits(engine) as wait_for_it:
        with writing(engine) as connection:
            assert merge_module._merge(connection, told) == Merged(1, 0)
            second = thread.submit(store.merge, told)
            wait_for_it()
        assert second.result() == Merged(0, 0)
    assert store.statistics.mix(Scope()).n == 1
