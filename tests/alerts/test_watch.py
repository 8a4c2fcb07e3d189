import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier

import pytest

from tests.databases import open_store
from tests.standins.http import Asked, Reply, serving
from tests.waiting import running, wait_for
from vibecheck.alerts import occasions, watch
from vibecheck.alerts.watch import look
from vibecheck.alerts.webhook import Alert
from vibecheck.errors import RecordsError
from vibecheck.settings import Settings

NOW = datetime.now(UTC)
TICK = timedelta(seconds=0.05)
SECRET = "/services/a-secret-path"
ALERT = Alert("drift", "drift Light", "Drift in light.")

# Waits, with everything imported, for the word to look for alerts.
LOOKER = """
import sys
from datetime import UTC, datetime
from tests.databases import open_store
from vibecheck.alerts import occasions, watch
from vibecheck.alerts.webhook import Alert
from vibecheck.settings import Settings
occasions.current = lambda *_: [Alert("drift", "drift Light", "Drift in light.")]
settings = Settings.load()
store = open_store(settings)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    watch.look(store, settings, datetime.now(UTC))
"""


class Hook:
    """A webhook that answers with one status after another, the last one from then on."""

    def __init__(self, *statuses: int | Reply) -> None:
        self.statuses, self.told = list(statuses), []

    def __call__(self, asked: Asked) -> Reply:
        self.told.append(json.loads(asked.body))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return status if isinstance(status, Reply) else Reply(status, b"")


@pytest.fixture
def going_on(monkeypatch) -> list[Alert]:
    """What is worth an alert; to be changed by the test."""
    alerts = [ALERT]
    monkeypatch.setattr(occasions, "current", lambda *_: list(alerts))
    return alerts


@pytest.fixture
def clock(monkeypatch, store):
    """Makes the notes of the store older by a number of seconds."""

    def pass_by(seconds: float) -> None:
        from sqlalchemy import select, update

        from tests.records.rows import engine_of
        from vibecheck.records.db.tables import notes
        from vibecheck.records.db.transactions import writing

        with writing(engine_of(store)) as connection:
            for subject, noted in connection.execute(select(notes.c.subject, notes.c.noted_at)).all():
                earlier = noted - timedelta(seconds=seconds)
                connection.execute(update(notes).where(notes.c.subject == subject).values(noted_at=earlier))

    return pass_by


def settings_for(url: str, tmp_path, **changes) -> Settings:
    return Settings(data=tmp_path, alert_url=url + SECRET, **changes)


@contextmanager
def webhook(tmp_path, *answers):
    """A webhook that gives these answers, and settings with its address."""
    hook = Hook(*answers)
    with serving(hook) as server:
        yield hook, settings_for(server.url, tmp_path)


def test_each_alert_is_sent_once(store, going_on, tmp_path):
    with webhook(tmp_path, 200) as (hook, settings):
        for _ in range(3):
            look(store, settings, NOW)
        going_on.append(Alert("set_aside", "set_aside", "Comet rejected 1 record."))
        look(store, settings, NOW)
    assert [each["event"] for each in hook.told] == ["drift", "set_aside"]


def test_failed_alert_is_logged_without_the_url_and_retried(store, going_on, tmp_path, clock, caplog):
    caplog.set_level(logging.DEBUG, "vibecheck")
    with webhook(tmp_path, 500, 500, 200) as (hook, settings):
        look(store, settings, NOW)
        look(store, settings, NOW)
        assert len(hook.told) == 1, "not before the pause is over"
        clock(watch.FIRST_PAUSE + 1)
        look(store, settings, NOW)
        clock(watch.FIRST_PAUSE + 1)
        look(store, settings, NOW)
        assert len(hook.told) == 2, "the second pause is twice as long"
        clock(watch.FIRST_PAUSE + 1)
        look(store, settings, NOW)
        clock(watch.LONGEST_PAUSE)
        look(store, settings, NOW)
    assert len(hook.told) == 3 and len({each["id"] for each in hook.told}) == 1
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and "does not take alerts at the moment (500)" in said[0]
    assert SECRET not in caplog.text and not any(record.exc_info for record in caplog.records)


def test_alert_is_sent_by_a_webhook_that_was_out_of_order_for_months(store, going_on, tmp_path):
    content = {"sent": False, "attempts": 2000, "pause": 0.0, "lasting": True}
    store.notes.write(watch.ALERT + ALERT.key, content)
    hook = Hook(200)
    with serving(hook) as server:
        look(store, settings_for(server.url, tmp_path), NOW)
    assert len(hook.told) == 1


def test_retry_after_of_the_server_is_obeyed(store, going_on, tmp_path, clock):
    with webhook(tmp_path, Reply(429, b"", {"Retry-After": "600"}), 200) as (hook, settings):
        look(store, settings, NOW)
        clock(watch.FIRST_PAUSE + 1)
        look(store, settings, NOW)
        assert len(hook.told) == 1
        clock(600)
        look(store, settings, NOW)
    assert len(hook.told) == 2


def test_alert_is_repeated_only_after_a_week_without_its_condition(store, going_on, tmp_path, clock):
    with webhook(tmp_path, 200) as (hook, settings):
        for days in (0, 1, 8):
            look(store, settings, NOW)
            going_on.clear()
            clock(timedelta(days=days).total_seconds())
            look(store, settings, NOW)
            going_on.append(ALERT)
        assert len(hook.told) == 1
        look(store, settings, NOW)
        assert len(hook.told) == 2


def test_alert_whose_cause_returns_within_a_week_and_stays_is_repeated_after_it(
    store, going_on, tmp_path, clock
):
    day = timedelta(days=1).total_seconds()
    with webhook(tmp_path, 200) as (hook, settings):
        look(store, settings, NOW)
        going_on.clear()
        clock(day)
        look(store, settings, NOW)
        going_on.append(ALERT)
        for _ in range(7):
            clock(day)
            look(store, settings, NOW)
        assert len(hook.told) == 2
        for _ in range(30):
            clock(day)
            look(store, settings, NOW)
        assert len(hook.told) == 2  # since it has not ended again


def test_event_is_never_sent_again(store, going_on, tmp_path, clock):
    going_on[:] = [Alert("comparison", "comparison b a", "b is proved better than a.", lasting=False)]
    decided = list(going_on)
    with webhook(tmp_path, 200) as (hook, settings):
        look(store, settings, NOW)
        going_on.clear()
        clock(timedelta(days=60).total_seconds())
        look(store, settings, NOW)
        going_on[:] = decided
        look(store, settings, NOW)
    assert len(hook.told) == 1


def test_only_one_of_several_concurrent_watchers_sends_an_alert(settings, store, going_on, tmp_path):
    hook = Hook(Reply(200, b"", pause=0.1))
    stores = [open_store(settings) for _ in range(3)]
    together = Barrier(3)

    def look_at(mine):
        together.wait()
        for _ in range(5):
            look(mine, told, NOW)

    with serving(hook) as server, ThreadPoolExecutor(3) as threads:
        told = settings_for(server.url, tmp_path)
        list(threads.map(look_at, stores))
    assert len(hook.told) == 1
    for mine in stores:
        mine.close()


@pytest.mark.slow
def test_two_processes_send_an_alert_once(tmp_path):
    hook = Hook(200)
    with serving(hook) as server:
        env = {
            "VIBECHECK_DATA": str(tmp_path),
            "VIBECHECK_ALERT_URL": server.url + SECRET,
            "PATH": "/usr/bin:/bin",
        }
        open_store(Settings(data=tmp_path)).close()
        both = [
            subprocess.Popen(
                [sys.executable, "-c", LOOKER],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for process in both:
            assert process.stdout.readline() == "ready\n"
        for process in both:
            process.stdin.write("look\n")
            process.stdin.flush()
        for process in both:
            process.communicate(timeout=60)
            assert process.returncode == 0
    assert len(hook.told) == 1


def test_alert_of_a_process_that_died_while_sending_is_sent_by_another(
    store, going_on, tmp_path, clock, monkeypatch
):
    def die(*_):
        raise KeyboardInterrupt

    with webhook(tmp_path, 200) as (hook, settings):
        with monkeypatch.context() as patched:
            patched.setattr(watch, "post", die)
            with pytest.raises(KeyboardInterrupt):
                look(store, settings, NOW)
        look(store, settings, NOW)
        assert hook.told == []
        clock(watch.FIRST_PAUSE + 1)
        look(store, settings, NOW)
    assert len(hook.told) == 1


def test_watching_thread_survives_failures(store, going_on, tmp_path, caplog):
    hook = Hook(200)
    failures = iter([RecordsError("The disk is full."), ZeroDivisionError()])

    def open_store():
        for failure in failures:
            raise failure
        return store

    with serving(hook) as server:
        asked = settings_for(server.url, tmp_path)
        with running(partial(watch.run, open_store, asked, every=TICK, after=TICK)):
            wait_for(lambda: hook.told)
    assert "The disk is full." in caplog.text


def test_without_the_setting_nothing_is_watched(store, tmp_path, monkeypatch):
    monkeypatch.setattr(occasions, "current", lambda *_: pytest.fail("it was looked for"))
    look(store, Settings(data=tmp_path), NOW)
