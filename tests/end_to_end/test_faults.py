"""One part fails under the running app: this is reported in one sentence, and the rest keeps working."""

import re
import resource
import shutil
import socket
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
import pytest

from benchmarks.harness.page_client import Visitor
from benchmarks.harness.running import RunningApp
from tests.databases import open_store
from tests.end_to_end.conftest import FACE, NO, NUMBERS, UPLOAD, check_vibe, photo, said
from tests.records.rows import queued
from tests.standins.postgres import PostgresServer, postgres_of_its_own
from tests.waiting import wait_for
from vibecheck.records.store import Store
from vibecheck.settings import Settings

LEAVING = 20  # visitors who close the tab while their vibe check is made


@pytest.fixture(scope="module")
def app(run_app) -> RunningApp:
    """On SQLite, as on a laptop."""
    running = run_app()
    running.ready()
    return running


@pytest.fixture
def tab(app) -> Iterator[Visitor]:
    with Visitor(app.url) as opened:
        yield opened


@pytest.fixture
def store(app) -> Iterator[Store]:
    opened = open_store(Settings(data=app.data, model="embedded"))
    yield opened
    opened.close()


def check_without_record(tab: Visitor, keep: int = FACE) -> str:
    """A vibe check that cannot be recorded: there is a mood and music, and one sentence; returns the page."""
    tab.pick("way", UPLOAD)
    tab.pick("keep", keep)
    tab.upload("upload", "me.jpg", photo())
    tab.press("check")
    page = tab.text()
    assert tab.errors() == []
    assert "Happy" in page and "open.spotify.com/embed/playlist/" in page
    assert not tab.has("answer-"), "what is not recorded has no id that anybody could be shown"
    return page


def check_with_record(tab: Visitor, store: Store) -> None:
    mine = check_vibe(tab)
    tab.pick("answer-", 0)
    assert store.feedback_of(mine)[0].label == "happy" and store.picture(mine)


def test_locked_database_is_reported_and_moods_are_still_shown(app, tab, store):
    with closing(sqlite3.connect(app.data / "vibecheck.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        page = check_without_record(tab)
        assert "was held by another program for more than 5 seconds" in page
        assert time.monotonic() - began < 40
        with Visitor(app.url, page="About") as other_tab:
            assert other_tab.errors() == [] and "Expressions, not feelings" in other_tab.text()
        other.execute("ROLLBACK")
    check_with_record(tab, store)


@contextmanager
def a_full_disk(app: RunningApp) -> Iterator[None]:
    """For this app alone: nothing can be written beyond the first 4 KB of a file."""
    before = resource.prlimit(app.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(app.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.prlimit(app.pid, resource.RLIMIT_FSIZE, before)


def test_full_disk_is_reported_and_leaves_no_partial_records(app, tab, store):
    check_with_record(tab, store)
    stored = store.count()
    with a_full_disk(app):
        for keep in (FACE, NUMBERS):
            assert re.search(r"SQLite database .* check its disk", check_without_record(tab, keep))
    assert store.count() == stored
    pictures = {path.name for path in (app.data / "images").rglob("*") if path.is_file()}
    assert len(pictures) == len(store.pictured(1000)), (
        "no picture is left without its row, and no half of one"
    )
    check_with_record(tab, store)


def test_unusable_picture_folder_is_reported_and_numbers_are_still_kept(app, tab, store):
    mine = check_vibe(tab)
    images = app.data / "images"
    images.rename(app.data / "elsewhere")
    images.write_text("a file is in the way")
    try:
        without = check_vibe(tab)
        assert re.search(r"A picture could not be written .*VIBECHECK_DATA", tab.text())
        assert not store.get(without).picture_kept
        person = {"vibecheck_visitor": uuid.uuid4().hex}
        with Visitor(app.url, cookies=person) as other:
            without = check_vibe(other, NUMBERS)
            other.pick("answer-", NO)
            other.pick("answer-", 1)
        assert store.feedback_of(without), "numbers and answers are kept all the same"
        with Visitor(app.url, page="Corrections", cookies=person) as other:
            assert other.errors() == [] and other.has(f"1-{without}")
    finally:
        images.unlink()
        (app.data / "elsewhere").rename(images)
    assert store.picture(mine)
    check_with_record(tab, store)


def test_deleted_picture_folder_is_created_again(app, tab, store):
    mine = check_vibe(tab)
    shutil.rmtree(app.data / "images")
    assert store.picture(mine) is None
    check_with_record(tab, store)


def test_tab_closed_during_a_check_leaves_no_threads_or_connections(app, store):
    with Visitor(app.url) as tab:
        check_with_record(tab, store)  # what the app needs for its first visitor stays
    threads, files = psutil.Process(app.pid).num_threads(), psutil.Process(app.pid).num_fds()
    before = store.count()
    for _ in range(LEAVING):
        leaving = Visitor(app.url)
        leaving.pick("way", UPLOAD)
        leaving.upload("upload", "me.jpg", photo())
        closing_soon = threading.Timer(0.05, leaving.close)
        closing_soon.start()
        with pytest.raises((OSError, EOFError)):
            for _ in range(100):
                leaving.press("check")
        closing_soon.join()
    with Visitor(app.url) as tab:
        check_with_record(tab, store)
    assert store.count() > before
    process = psutil.Process(app.pid)
    # The server's pool of threads may still grow by a few, but not by one for each of those who left.
    wait_for(lambda: process.num_threads() <= threads + LEAVING // 2, "their threads to end")
    # Streamlit keeps the session of a closed tab for two minutes, in which it may come back; each has three.
    wait_for(lambda: process.num_fds() <= files + 3 * (LEAVING + 1) + 10, "their connections to close")


def test_none_of_the_faults_logged_a_traceback(app):
    assert "Traceback" not in said(app)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_of_its_own() as server:
        yield server


@pytest.mark.postgres
def test_restarted_postgres_is_used_again(postgres, run_app):
    app = run_app(VIBECHECK_DATABASE_URL=postgres.url)
    app.ready()
    with Visitor(app.url) as tab:
        before = check_vibe(tab)
        postgres.stop()
        page = check_without_record(tab)
        assert re.search(r"The Postgres database postgres on 127.0.0.1 .*VIBECHECK_DATABASE_URL", page)
        began = time.monotonic()
        with Visitor(app.url, page="About") as other:
            assert other.errors() == []
        assert time.monotonic() - began < 15, "pages that need no records do not wait for them"
        with Visitor(app.url, page="Corrections") as other:
            assert other.errors() == [] and "The Postgres database" in other.text()
        postgres.start()
        after = check_vibe(tab)
        tab.pick("answer-", 0)
    store = open_store(Settings(data=app.data, database_url=postgres.url))
    assert {before, after} == {prediction.id for prediction, _ in store.history()}
    assert store.feedback_of(after)[0].label == "happy"
    store.close()
    assert "Traceback" not in said(app)


@pytest.fixture(scope="module")
def silence() -> Iterator[str]:
    """A server that accepts, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        yield f"127.0.0.1:{silent.getsockname()[1]}"


def test_hanging_spotify_comet_and_hub_do_not_slow_down_vibe_checks(silence, run_app):
    app = run_app(
        VIBECHECK_MODEL="somebody/some-model",
        HF_ENDPOINT=f"http://{silence}",
        COMET_API_KEY="key",
        COMET_URL_OVERRIDE=f"http://{silence}/clientlib/",
        SPOTIPY_CLIENT_ID="id",
        SPOTIPY_CLIENT_SECRET="secret",
        HTTPS_PROXY=f"http://{silence}",
        NO_PROXY="127.0.0.1",
    )
    app.ready()
    with Visitor(app.url) as tab:
        check_vibe(tab)  # the first one waits for Spotify, at most five seconds
        assert "Spotify could not be searched" in tab.text()
        checks, pages = [], []
        for _ in range(3):
            began = time.monotonic()
            check_vibe(tab)
            checks.append(time.monotonic() - began)
            began = time.monotonic()
            with Visitor(app.url) as other:
                assert other.errors() == []
            pages.append(time.monotonic() - began)
        assert min(checks) < 5 and min(pages) < 5, f"nobody waits for any of them again: {checks}, {pages}"
        assert "Model: embedded-3." in tab.text()
    store = open_store(Settings(data=app.data, model="embedded"))
    assert len([row for row in queued(store) if row.kind == "prediction"]) == store.count() == 4
    store.close()
    assert "Traceback" not in said(app)


@pytest.mark.parametrize("put_back", [False, True])
def test_removed_or_replaced_data_folder_is_reported(run_app, tmp_path, put_back):
    app = run_app()
    app.ready()
    with Visitor(app.url) as tab:
        check_vibe(tab)
        shutil.copytree(app.data, tmp_path / "backup")
        shutil.rmtree(app.data)
        if put_back:
            shutil.copytree(tmp_path / "backup", app.data)
        page = check_without_record(tab)
        assert "was removed or replaced while VibeCheck was running" in page and "restart VibeCheck" in page
    kept = sorted(path.name for path in (app.data / "images").rglob("*.jpg"))
    before = sorted(path.name for path in (tmp_path / "backup" / "images").rglob("*.jpg"))
    assert kept == (before if put_back else []), "no picture is kept without its record"
    assert "Traceback" not in said(app)
