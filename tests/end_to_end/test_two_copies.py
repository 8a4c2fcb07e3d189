"""Two copies of the app on one Postgres and one object storage, behind nginx with sticky sessions."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import requests
from playwright.sync_api import expect

from benchmarks.harness.page_client import Visitor
from benchmarks.harness.running import RunningApp
from tests.browser.conftest import launch, open_browser, playwright  # noqa: F401
from tests.browser.test_live import as_webcam, goes_on, mood, start
from tests.databases import open_store
from tests.end_to_end.conftest import NO, check_vibe, said
from tests.records.rows import queued
from tests.standins.comet import CometStandin, comet_standin
from tests.standins.models import install
from tests.standins.nginx import Nginx, nginx_before
from tests.standins.object_storage import ObjectStorage, object_storage
from tests.standins.postgres import postgres_of_its_own
from tests.waiting import wait_for
from vibecheck.models.registry import Registry
from vibecheck.records.outbox.queue import TASKS
from vibecheck.records.store import Store
from vibecheck.settings import Settings

# The key that says sad on Corrections.
SAD = "6"
pytestmark = pytest.mark.postgres


@dataclass
class Copies:
    """Both apps, what is in front of them and behind, and a way to reach each."""

    first: RunningApp
    second: RunningApp
    nginx: Nginx
    storage: ObjectStorage
    comet: CometStandin
    database: str
    cookies: dict[str, str] = field(default_factory=dict)

    def cookie_for(self, app: RunningApp) -> str:
        """A cookie that leads to this copy."""
        if app.url not in self.cookies:
            self.cookies[app.url] = self._cookie_for(app)
        return self.cookies[app.url]

    def _cookie_for(self, app: RunningApp) -> str:
        for _ in range(64):
            cookie = uuid.uuid4().hex
            requests.get(f"{self.nginx.url}/_stcore/health", cookies={"vibecheck_copy": cookie}, timeout=9)
            wait_for(lambda each=cookie: self.nginx.copies_of(each), "the log of nginx")
            if self.nginx.copies_of(cookie) == {app.url.removeprefix("http://")}:
                return cookie
        raise AssertionError("no cookie leads there")

    def settings(self, app: RunningApp) -> Settings:
        """The settings of a copy, to open its records."""
        return Settings(data=app.data, database_url=self.database, model="embedded")


@pytest.fixture(scope="module")
def copies(run_app, tmp_path_factory) -> Iterator[Copies]:
    with postgres_of_its_own() as postgres, object_storage() as storage, comet_standin() as comet:
        shared = {
            "VIBECHECK_DATABASE_URL": postgres.url,
            "VIBECHECK_ACCESS_TOKEN": "a-token-for-all-copies-of-the-app",
            "COMET_API_KEY": "key",
            "COMET_URL_OVERRIDE": f"{comet.url}/clientlib/",
            **storage.environment,
        }
        first, second = run_app(**shared), run_app(**shared)
        ports = [int(app.ready().rpartition(":")[2]) for app in (first, second)]
        with nginx_before(ports, tmp_path_factory.mktemp("nginx")) as nginx:
            yield Copies(first, second, nginx, storage, comet, postgres.url)
        first.stop()
        second.stop()


@pytest.fixture
def store(copies, monkeypatch) -> Iterator[Store]:
    """The records that both copies share."""
    for name, value in copies.storage.environment.items():
        monkeypatch.setenv(name, value)
    images = Settings.load().images
    opened = open_store(copies.settings(copies.first).model_copy(update={"images": images}))
    yield opened
    opened.close()


def visitor_at(copies: Copies, app: RunningApp, person: str, page: str = "") -> Visitor:
    cookies = {"vibecheck_copy": copies.cookie_for(app), "vibecheck_visitor": person}
    return Visitor(copies.nginx.url, page=page, cookies=cookies)


def test_each_browser_stays_with_its_copy_and_both_are_used(copies):
    with Visitor(copies.nginx.url, page="About") as tab:
        new = tab.http.cookies["vibecheck_copy"]
        tab.rerun()
    for cookie in (new, copies.cookie_for(copies.first), copies.cookie_for(copies.second)):
        for _ in range(3):
            with Visitor(copies.nginx.url, page="About", cookies={"vibecheck_copy": cookie}) as tab:
                assert tab.http.cookies["vibecheck_copy"] == cookie
        assert len(copies.nginx.copies_of(cookie)) == 1


def test_vibe_check_recorded_by_one_copy_is_labelled_through_the_other(copies, store):
    person = uuid.uuid4().hex
    with visitor_at(copies, copies.first, person) as tab:
        mine = check_vibe(tab)
        tab.pick("answer-", 0)
        assert "Noted: happy" in tab.text()
    assert store.get(mine).picture_kept
    assert f"faces/{mine[:2]}/input_{mine}.jpg" in copies.storage.names()
    assert not (copies.first.data / "images").exists()
    with visitor_at(copies, copies.second, person, "Corrections") as tab:
        shown = b"".join(element.SerializeToString() for element in tab.elements)
        assert b"data:image/jpeg;base64," in shown, "the picture comes out of the shared storage"
        tab.press(f"{SAD}-{mine}")
        assert tab.errors() == []
    labels = store.feedback_of(mine)
    assert [each.n for each in labels] == list(range(1, len(labels) + 1)) and len(labels) == 2
    assert {each.source for each in labels} == {"audit", "volunteered"}
    with visitor_at(copies, copies.second, person) as tab:
        other = check_vibe(tab)
        tab.pick("answer-", NO)
        tab.pick("answer-", 1)
    assert store.feedback_of(other)[0].source == "audit"


def test_records_reach_comet_once_although_both_copies_send(copies, store):
    people = [uuid.uuid4().hex for _ in range(2)]
    ids = []
    for person, app in zip(people, (copies.first, copies.second), strict=True):
        with visitor_at(copies, app, person) as tab:
            for _ in range(3):
                ids.append(check_vibe(tab))
                tab.pick("answer-", 0)

    def waiting() -> list:
        return [row for row in queued(store, 1000) if row.kind not in TASKS]

    wait_for(lambda: not waiting(), "both senders", 90)
    names = copies.comet.names()
    assert len(names) == len(set(names))
    assert {f"input_{each}.jpg" for each in ids} <= set(names)
    assert {f"feedback_{each}_1.json" for each in ids} <= set(names)


def test_a_promotion_is_seen_by_both_copies(copies, store):
    registry = Registry.open(copies.settings(copies.first))
    for app in (copies.first, copies.second):
        install(copies.settings(app), registry, "second")
    tabs = [visitor_at(copies, app, uuid.uuid4().hex) for app in (copies.first, copies.second)]
    try:
        assert all("Model: embedded-3." in tab.text() for tab in tabs)
        registry.promote("second", "a test", datetime.now(UTC), override=True)

        def both_run(version: str) -> bool:
            for tab in tabs:
                tab.rerun()
            return all(f"Model: {version}." in tab.text() for tab in tabs)

        wait_for(lambda: both_run("second"), "both copies to run the new champion")
        assert {store.get(check_vibe(tab)).model_version for tab in tabs} == {"second"}
        registry.rollback(datetime.now(UTC))
        wait_for(lambda: both_run("embedded-3"), "both copies to go back")
    finally:
        registry.close()
        for tab in tabs:
            tab.close()


@pytest.mark.browser
def test_live_video_is_set_up_through_nginx(copies, open_browser, tmp_path, store):  # noqa: F811
    before = store.count()
    page = open_browser(as_webcam(tmp_path / "webcam.mjpeg")).new_page()
    page.goto(copies.nginx.url)
    frame = start(page)
    expect(page.locator(".vc-rates")).to_contain_text("readings/s")
    goes_on(frame)
    assert mood(page).inner_text()
    page.get_by_role("button", name="Check my vibe").click()
    expect(page.get_by_text("Was this right?")).to_be_visible()
    assert store.count() == before + 1


def test_neither_copy_logged_a_traceback(copies):
    for app in (copies.first, copies.second):
        assert "Traceback" not in said(app)


def test_visitors_of_a_dead_copy_are_served_by_the_other(copies, store):
    person = uuid.uuid4().hex
    with visitor_at(copies, copies.first, person) as tab:
        mine = check_vibe(tab)
        cookies = {name: tab.http.cookies[name] for name in ("vibecheck_copy", "vibecheck_visitor")}
        copies.first.kill()
        with pytest.raises((OSError, EOFError)):
            tab.rerun()
    with Visitor(copies.nginx.url, page="Corrections", query=f"prediction_id={mine}", cookies=cookies) as tab:
        assert tab.errors() == []
        assert tab.has(f"{SAD}-{mine}")
    assert store.get(mine).picture_kept
