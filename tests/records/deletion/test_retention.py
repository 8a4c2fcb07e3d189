from datetime import UTC, datetime, timedelta
from functools import partial

from tests.records.examples import JPEG, a_prediction
from tests.waiting import running, wait_for
from vibecheck.errors import RecordsError
from vibecheck.records.deletion import retention

DAY = timedelta(days=1)


def sweeping(open_store):
    return running(partial(retention.run, open_store, 90 * DAY, every=timedelta(seconds=0.05)))


def test_sweeper_purges_at_start_and_after_each_interval(store):
    now = datetime.now(UTC)
    young = a_prediction(made_at=now, picture_kept=True)
    store.add(young, JPEG)
    store.add(a_prediction(made_at=now - 91 * DAY), None)
    with sweeping(lambda: store):
        wait_for(lambda: store.count() == 1)
        store.add(a_prediction(made_at=now - 91 * DAY), None)
        wait_for(lambda: store.count() == 1)
    assert store.get(young.id) == young


def test_failed_sweep_is_logged_and_retried(store, monkeypatch, caplog):
    store.add(a_prediction(made_at=datetime.now(UTC) - 91 * DAY), None)
    purge, failures = store.purge, iter([RecordsError("The disk is full.")])

    def fail_once(older_than):
        for failure in failures:
            raise failure
        return purge(older_than)

    monkeypatch.setattr(store, "purge", fail_once)
    with sweeping(lambda: store):
        wait_for(lambda: store.count() == 0)
    assert "The disk is full." in caplog.text


def test_sweeper_retries_until_the_records_can_be_opened(store, monkeypatch, caplog):
    store.add(a_prediction(made_at=datetime.now(UTC) - 91 * DAY), None)
    attempts = iter([RecordsError("The server is down.")])

    def open_store():
        for failure in attempts:
            raise failure
        return store

    with sweeping(open_store):
        wait_for(lambda: store.count() == 0)
    assert "The server is down." in caplog.text
