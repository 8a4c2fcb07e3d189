import time
from datetime import UTC, datetime, timedelta

from tests.records.examples import JPEG, a_prediction
from tests.waiting import wait_for
from vibecheck.errors import RecordsError
from vibecheck.records.deletion.retention import Sweeper

DAY = timedelta(days=1)


def test_sweeper_purges_at_start_and_after_each_interval(store):
    now = datetime.now(UTC)
    young = a_prediction(made_at=now, picture_kept=True)
    store.add(young, JPEG)
    store.add(a_prediction(made_at=now - 91 * DAY), None)
    sweeper = Sweeper(lambda: store, retention=90 * DAY, every=timedelta(seconds=0.05))
    wait_for(lambda: store.count() == 1)
    store.add(a_prediction(made_at=now - 91 * DAY), None)
    wait_for(lambda: store.count() == 1)
    sweeper.stop()
    assert store.get(young.id) == young


def test_failed_sweep_is_logged_and_retried(store, monkeypatch, caplog):
    store.add(a_prediction(made_at=datetime.now(UTC) - 91 * DAY), None)
    purge, failures = store.purge, iter([RecordsError("The disk is full.")])

    def fail_once(older_than):
        for failure in failures:
            raise failure
        return purge(older_than)

    monkeypatch.setattr(store, "purge", fail_once)
    sweeper = Sweeper(lambda: store, retention=90 * DAY, every=timedelta(seconds=0.05))
    wait_for(lambda: store.count() == 0)
    sweeper.stop()
    assert "The disk is full." in caplog.text


def test_sweeper_stops_promptly_while_it_waits(store):
    sweeper = Sweeper(lambda: store, retention=90 * DAY)
    start = time.monotonic()
    sweeper.stop()
    assert time.monotonic() - start < 10


def test_sweeper_retries_until_the_records_can_be_opened(store, monkeypatch, caplog):
    store.add(a_prediction(made_at=datetime.now(UTC) - 91 * DAY), None)
    attempts = iter([RecordsError("The server is down.")])

    def open_store():
        for failure in attempts:
            raise failure
        return store

    sweeper = Sweeper(open_store, retention=90 * DAY, every=timedelta(seconds=0.05))
    wait_for(lambda: store.count() == 0)
    sweeper.stop()
    assert "The server is down." in caplog.text
