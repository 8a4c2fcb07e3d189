"""The machine's clock is set back an hour under the running app, with libfaketime."""

import uuid
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests

from benchmarks.harness.page_client import Visitor
from tests.conftest import missing
from tests.databases import open_store
from tests.end_to_end.conftest import NO, check_vibe, said
from tests.waiting import wait_for
from vibecheck.models.registry import Registry
from vibecheck.settings import Settings

HOUR = timedelta(hours=1)


def library() -> str:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        missing("libfaketime is not installed: apt install faketime")
    return str(found[0])


def test_app_keeps_working_after_the_clock_was_set_back_an_hour(run_app, tmp_path):
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    app = run_app(
        LD_PRELOAD=library(),
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_CACHE_DURATION="1",  # s; to read the file at each look at the clock takes most of the time
        NO_FAKE_STAT="1",
        DONT_FAKE_MONOTONIC="1",
    )
    app.ready()

    def behind() -> timedelta:
        answer = requests.get(f"{app.url}/_stcore/health", timeout=60)
        return datetime.now(UTC) - parsedate_to_datetime(answer.headers["Date"])

    person = {"vibecheck_visitor": uuid.uuid4().hex}
    store = open_store(Settings(data=app.data, model="embedded"))
    with Visitor(app.url, cookies=person) as tab:
        before = check_vibe(tab)
        tab.pick("answer-", 0)
        clock.write_text("-1h\n")
        wait_for(lambda: behind() > HOUR * 0.9, "the app to read the new time")
        after = check_vibe(tab)
        assert datetime.now(UTC) - store.get(after).made_at > HOUR * 0.9, "the app lives an hour ago"
        tab.pick("answer-", NO)
        tab.pick("answer-", 1)
        assert "Noted:" in tab.text()
    with Visitor(app.url, page="Corrections", cookies=person) as tab:
        assert tab.errors() == []
        tab.press(f"6-{before}")  # a label that is older than its vibe check
    assert [each.label for each in store.feedback_of(before)] == ["happy", "sad"]
    assert [each.n for each in store.feedback_of(before)] == [1, 2]
    assert len(store.feedback_of(after)) == 1
    registry = Registry.open(Settings(data=app.data, model="embedded"))
    assert registry.champion().version == "embedded-3"
    registry.close()
    assert store.purge(datetime.now(UTC) - timedelta(days=1)) == 0
    assert store.picture(before) and store.picture(after)
    store.close()
    assert "Traceback" not in said(app)
