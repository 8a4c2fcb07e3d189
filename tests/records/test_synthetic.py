"""Synthetic records are marked as such, are not mixed with real ones, and are never sent to Comet."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.databases import open_store
from tests.records.examples import JPEG, NOON, a_prediction
from tests.records.rows import queued
from vibecheck.errors import RecordsError
from vibecheck.records import bulk
from vibecheck.records.db.connect import open_database
from vibecheck.records.db.tables import metadata
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.stats import summaries
from vibecheck.records.synthetic import ORIGIN
from vibecheck.records.values import Feedback, ModelVersion, Play

VERSION = ModelVersion("demo-1", ORIGIN, NOON)


@pytest.fixture
def made_up(store, settings):
    """A store with one synthetic prediction, and its id."""
    prediction = a_prediction(model_version="demo-1")
    engine = open_database(settings.records_url)
    with writing(engine) as connection:
        bulk.write_versions(connection, [VERSION])
        bulk.write(connection, bulk.Records([prediction], [], []))
    engine.dispose()
    return store, prediction.id


def test_records_are_real_unless_marked_synthetic(store):
    assert not store.synthetic()
    store.add(a_prediction(model_version="demo-1"), None, "a model that is called so")
    assert not store.synthetic()


def test_synthetic_store_refuses_real_predictions(made_up, settings):
    store, _ = made_up
    assert store.synthetic()
    real = a_prediction(picture_kept=True)
    with pytest.raises(RecordsError, match="VIBECHECK_DATA"):
        store.add(real, JPEG)
    assert store.count() == 1 and not list(settings.data.rglob("input_*"))


def test_changes_to_synthetic_records_are_not_queued(made_up):
    store, prediction_id = made_up
    store.label(prediction_id, "sad", "labeller", "somebody", NOON)
    assert [each.label for each in store.feedback_of(prediction_id)] == ["sad"]
    assert queued(store) == []


def test_bulk_writes_store_the_same_rows_as_single_writes(settings, tmp_path):
    """Whatever the store notes beside the values themselves must be noted here too."""
    first, second, bare = (a_prediction(id=digit * 32, visitor="v", audit=digit == "1") for digit in "123")
    labels = [
        Feedback(first.id, 1, "happy", "audit", "v", NOON),
        Feedback(first.id, 2, "sad", "labeller", "w", NOON + timedelta(days=1), "random"),
        Feedback(second.id, 1, "fear", "volunteered", "v", NOON),
    ]
    plays = [
        Play(first.id, 1, "p" * 22, "One", "match", False, "catalogue", NOON),
        Play(first.id, 2, "q" * 22, "Two", "match", True, "catalogue", NOON),
    ]
    one_by_one = open_store(settings)
    for prediction in (first, second, bare):
        one_by_one.add(prediction, None, "tests")
    for each in labels:
        one_by_one.label(
            each.prediction_id, each.label, each.source, each.given_by, each.given_at, each.queue
        )
    for each in plays:
        one_by_one.played(
            each.prediction_id,
            playlist_id=each.playlist_id,
            playlist_name=each.playlist_name,
            mode=each.mode,
            again=each.again,
            found_by=each.found_by,
            now=each.suggested_at,
        )
    one_by_one.close()
    at_once = open_database(f"sqlite:///{tmp_path / 'at_once.db'}")
    with writing(at_once) as connection:
        bulk.write_versions(connection, [ModelVersion(first.model_version, "tests", NOON)])
        bulk.write(connection, bulk.Records([first, second, bare], labels, plays))
        summaries.rebuild(connection)
    assert contents(at_once) == contents(open_database(settings.records_url))


def contents(engine) -> dict[str, list]:
    """Every row of every table; what is still to be sent is not compared."""
    with reading(engine) as connection:
        rows = {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=str)
            for table in metadata.sorted_tables
            if table.name != "outbox"
        }
    engine.dispose()
    return rows
