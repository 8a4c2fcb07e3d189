"""What a deletion leaves in SQLite's files, who may read them, and what happens when they are replaced."""

import shutil
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.records.examples import JPEG, NOON, PLAY, a_prediction
from tests.records.rows import engine_of, queued
from tests.waiting import running, wait_for
from vibecheck.errors import RecordsError
from vibecheck.records.db.tables import notes, predictions
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.deletion import purge, redact_reports, retention
from vibecheck.records.outbox.messages import SENDER
from vibecheck.records.pictures import Pictures
from vibecheck.records.store import Store
from vibecheck.records.values import hash_of

VISITOR = hash_of("somebody")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def store(folder):
    """A store whose records nobody sends."""
    opened = Store.open(f"sqlite:///{folder / 'vibecheck.db'}", str(folder / "images"), sends=False)
    yield opened
    opened.close()


def traces(folder, *texts):
    """How often each of the texts is in any file of the folder."""
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [content.count(text.encode()) for text in texts]


def fill(store):
    made = [a_prediction(visitor=VISITOR, picture_kept=True) for _ in range(30)]
    for prediction in made:
        store.add(prediction, JPEG)
        store.label(prediction.id, "sad", "volunteered", VISITOR, NOON)
        store.played(prediction.id, **PLAY, again=False, now=NOON)
    return [prediction.id for prediction in made]


@pytest.mark.parametrize("how", ["visitor", "ids", "purge"])
def test_deleted_visitor_leaves_nothing_in_any_file(store, folder, how):
    ids = fill(store)
    other = replace(a_prediction(), visitor=hash_of("another"))
    store.add(other, None)
    assert all(traces(folder, VISITOR, *ids))
    if how == "visitor":
        store.forget_visitor(VISITOR, NOON)
    elif how == "ids":
        store.forget(ids, NOON)
    else:
        store.purge(NOON.replace(year=2030))
    assert traces(folder, VISITOR, *ids) == [0] * (1 + len(ids))
    if how != "purge":
        assert all(traces(folder, other.visitor, other.id))


@pytest.mark.parametrize("fault", ["a picture", "a report"])
def test_a_deletion_that_fails_midway_leaves_nothing_of_what_it_deleted(store, folder, monkeypatch, fault):
    ids = fill(store)
    monkeypatch.setattr(purge, "BATCH", 10)
    if fault == "a picture":
        delete, deleted = Pictures.delete, []

        def delete_some(pictures, prediction_id):
            if len(deleted) == 25:  # each is deleted before its row, and once more after it
                raise RecordsError("the disk is read-only")
            deleted.append(prediction_id)
            delete(pictures, prediction_id)

        monkeypatch.setattr(Pictures, "delete", delete_some)
    else:
        monkeypatch.setattr(redact_reports, "_here", lambda _: [folder])
    with pytest.raises(RecordsError):
        store.forget_visitor(VISITOR, NOON)
    gone = [each for each in ids if not recorded(store, each)]
    assert len(gone) == (10 if fault == "a picture" else 30)
    assert traces(folder, *gone) == [0] * len(gone)


def recorded(store, prediction_id):
    with reading(engine_of(store)) as connection:
        query = select(predictions.c.id).where(predictions.c.id == prediction_id)
        return connection.execute(query).one_or_none() is not None


def test_content_kept_in_the_log_by_a_reader_is_reported_and_erased_later(store, folder, caplog):
    ids = fill(store)
    with reading(engine_of(store)) as connection:
        connection.execute(
            select(predictions.c.id)
        ).all()  # the reader's snapshot is that before the deletion
        assert store.forget_visitor(VISITOR, NOON) == len(ids)
        assert all(traces(folder, VISITOR, *ids))
        assert not store.erase_remaining()
    assert caplog.text.count("still has deleted records, because another program is reading it") == 1
    assert store.erase_remaining()
    assert traces(folder, VISITOR, *ids) == [0] * (1 + len(ids))
    assert store.erase_remaining()


def test_sweeper_erases_traces_of_a_deletion_between_two_purges(store, folder, monkeypatch):
    monkeypatch.setattr(retention, "RETRY_AFTER", 0.05)
    with running(partial(retention.run, lambda: store, timedelta(days=36_500))):
        ids = fill(store)
        with reading(engine_of(store)) as connection:
            connection.execute(select(predictions.c.id)).all()
            store.forget_visitor(VISITOR, NOON)
        wait_for(lambda: not any(traces(folder, VISITOR, *ids)))


def test_without_an_account_nothing_is_added_to_the_outbox(store):
    fill(store)
    store.forget_visitor(VISITOR, NOON)
    assert queued(store) == []


def test_predictions_are_queued_when_another_process_sends_the_outbox(store):
    store.notes.write(SENDER, {"works": True})
    prediction = a_prediction()
    store.add(prediction, None)
    assert [(row.kind, row.prediction_id) for row in queued(store)] == [("prediction", prediction.id)]


def test_only_deletions_are_queued_when_the_sender_was_last_seen_long_ago(store):
    store.notes.write(SENDER, {"works": True})
    with writing(engine_of(store)) as connection:
        connection.execute(update(notes).values(noted_at=NOON))
    prediction = a_prediction()
    store.add(prediction, None)
    assert queued(store) == []
    store.forget([prediction.id], NOON)
    assert [(row.kind, row.prediction_id) for row in queued(store)] == [("deletion", prediction.id)]


def test_only_the_owner_may_read_records_and_faces(store, folder):
    fill(store)
    store.pictures.put("0" * 32, JPEG, wait=False)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".db", ".db-wal", ".db-shm", ".jpg"}
    assert [path for path in files if path.stat().st_mode & 0o077] == []


def test_a_database_that_others_could_read_is_made_private(tmp_path):
    file = tmp_path / "old.db"
    Store.open(f"sqlite:///{file}", str(tmp_path)).close()
    file.chmod(0o644)
    Store.open(f"sqlite:///{file}", str(tmp_path)).close()
    assert file.stat().st_mode & 0o077 == 0


def test_not_even_a_file_that_is_being_created_can_be_read_by_others(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "chmod", lambda path, mode: None)  # that would be too late
    file = tmp_path / "new.db"
    Store.open(f"sqlite:///{file}", str(tmp_path)).close()
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("back", ["nothing", "folder", "backup"])
def test_database_removed_or_replaced_while_open_is_reported(store, folder, tmp_path, back):
    store.add(a_prediction(), None)
    backup = tmp_path / "backup"
    shutil.copytree(folder, backup)
    shutil.rmtree(folder)
    if back == "folder":
        folder.mkdir()
    elif back == "backup":
        shutil.copytree(backup, folder)
    with pytest.raises(RecordsError, match=r"was removed or replaced while VibeCheck was running.*restart"):
        store.add(a_prediction(), None)
    prediction = a_prediction(picture_kept=True)
    with pytest.raises(RecordsError, match="removed or replaced"):
        store.add(prediction, JPEG)
    assert not store.pictures.exists(prediction.id)
    with pytest.raises(RecordsError, match="removed or replaced"):
        store.count()
