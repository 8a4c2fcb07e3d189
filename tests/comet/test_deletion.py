"""A deletion is done when Comet has nothing left, not when it lists nothing once."""

from datetime import timedelta

import pytest

from tests.comet.conftest import FAST
from tests.records.examples import JPEG, NOON, a_prediction
from tests.records.rows import queued
from tests.waiting import wait_for
from vibecheck.comet import layout
from vibecheck.comet.client import Comet
from vibecheck.comet.day_records import read_day
from vibecheck.comet.sender import Pace, Sender
from vibecheck.errors import CometRefuses
from vibecheck.records.outbox.queue import TASKS
from vibecheck.records.values import Deletion

MISTAKES = [
    {"path": "asset/list", "status": 200, "body": {"assets": []}},
    {"path": "asset/list", "status": 200, "body": {"assets": None}},
    {"path": "asset/list", "status": 404},
    {"path": "asset/delete", "status": 404},
    {"path": "asset/delete", "status": 200},  # it says so, and does nothing
    {"path": "asset/list", "status": 404, "body": b"<h1>Not found</h1>"},
]


@pytest.fixture
def sent(settings, store, comet):
    """A prediction with a picture that is in Comet."""
    prediction = a_prediction(picture_kept=True)
    store.add(prediction, JPEG)
    Sender(settings, store, FAST).run(until_empty=True)
    assert comet.names() == [prediction.picture_name]
    return prediction


def deletions(store):
    return [row for row in queued(store) if row.kind == "deletion"]


def sent_all(settings, store):
    """Sends; returns whether nothing is left. A record is, if sending it failed and its pause is not over."""
    Sender(settings, store, FAST).run(until_empty=True)
    return all(row.kind in TASKS for row in queued(store))


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_picture_is_deleted_even_if_comet_misreports_the_deletion(settings, store, comet, sent, mistake):
    store.forget([sent.id], sent.made_at)
    comet.fault(**mistake)
    wait_for(lambda: sent_all(settings, store))
    assert [name for name in comet.names() if sent.id in name] == []
    assert deletions(store) == []


def test_deletion_stays_in_the_outbox_until_a_later_check_confirms_it(settings, store, comet, sent):
    store.forget([sent.id], sent.made_at)
    comet.fault("asset/list", status=200, body={"assets": []})
    Sender(settings, store, Pace(poll=0.02, confirm_after=timedelta(hours=1))).run(until_empty=True)
    assert comet.names() == [sent.picture_name]
    assert len(deletions(store)) == 1, "not done: the list may have been wrong"
    assert store.forgotten_among([sent.id]) == set()
    store.outbox().retry_all()
    Sender(settings, store, FAST).run(until_empty=True)
    assert [name for name in comet.names() if sent.id in name] == []
    assert deletions(store) == [] and store.forgotten_among([sent.id]) == {sent.id}


def test_deletion_queued_without_made_at_still_deletes_the_assets(settings, store, comet, sent):
    from sqlalchemy import insert

    from tests.records.rows import engine_of
    from vibecheck.records.db.tables import outbox
    from vibecheck.records.db.transactions import writing
    from vibecheck.records.outbox.messages import row_of

    row = row_of(Deletion(sent.id, sent.made_at, sent.made_at))
    row["payload"].pop("made_at")
    with writing(engine_of(store)) as connection:
        connection.execute(insert(outbox).values(row))
    Sender(settings, store, FAST).run(until_empty=True)
    assert [name for name in comet.names() if sent.id in name] == []


def test_deletions_of_one_day_share_a_list(settings, store, comet):
    made = [a_prediction() for _ in range(10)]
    for prediction in made:
        store.add(prediction, None)
    Sender(settings, store, FAST).run(until_empty=True)
    store.forget([prediction.id for prediction in made], NOON)
    before = comet.asked("asset/list")
    later = Pace(poll=0.02, confirm_after=timedelta(hours=1))
    Sender(settings, store, later).run(until_empty=True)
    assert comet.names() == [] and len(deletions(store)) == 10
    assert comet.asked("asset/list") - before == 1


@pytest.fixture
def labelled(settings, store, comet, sent):
    """A label that is in Comet."""
    label = store.label(sent.id, "sad", "volunteered", "me", NOON)
    Sender(settings, store, FAST).run(until_empty=True)
    assert f"feedback_{sent.id}_1.json" in comet.names()
    return label


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_undone_label_is_deleted_even_if_comet_misreports_it(settings, store, comet, sent, labelled, mistake):
    store.undo_label(sent.id, labelled.n, "me", NOON)
    comet.fault(**mistake)
    wait_for(lambda: sent_all(settings, store))
    assert f"feedback_{sent.id}_1.json" not in comet.names()
    assert [row for row in queued(store) if row.kind == "feedback_undone"] == []


def test_label_undone_and_sent_during_a_restore_is_not_restored(settings, store, comet, sent, labelled):
    day = layout.day_of(sent.made_at)
    read = read_day(Comet.open(settings).assets(day)).found()  # as a restore does
    store.undo_label(sent.id, labelled.n, "me", NOON)
    Sender(settings, store, Pace(poll=0.02, confirm_after=timedelta(hours=1))).run(until_empty=True)
    assert f"feedback_{sent.id}_1.json" not in comet.names()
    store.merge(read)
    assert store.feedback_of(sent.id) == []


def test_deletions_are_sent_although_a_limit_of_the_plan_stops_pictures(settings, store, comet, sent):
    store.add(a_prediction(picture_kept=True), JPEG)
    store.forget([sent.id], NOON)
    comet.fault("upload-asset", times=10**6, status=402)
    with pytest.raises(CometRefuses, match="limit"):
        Sender(settings, store, FAST).run(until_empty=True)
    assert comet.names() == [] and store.forgotten_among([sent.id]) == {sent.id}
