"""Who is let in, by which way, in a real browser: own machine, access link, identity provider.

The pages of this app are small ones; the gate in them is the real one.
"""

import re
import shutil
import socket
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import ROOT, RunningApp, look
from tests.standins.oidc import identity_provider
from tests.waiting import wait_for

pytestmark = pytest.mark.browser

PAGE = """
import streamlit as st
from vibecheck.access import Role
from vibecheck.ui import app, gate

app.start_page("{title}")
gate.require(Role.{role})
st.title("{title} is open")
st.write("secret-" + "number")
st.button("Again")
app.end_page()
"""
# As the app's own: a script, and what serves it.
HOME = """
from vibecheck.ui.shared.serving import serving

if __name__ == "__main__":
{page}
else:
    import streamlit as st

    server = st.App(__file__, lifespan=serving)
"""
PAGES = {"1_Corrections": "VISITOR", "2_Dashboard": "ANALYST", "3_Fine-tune": "TRAINER"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pages, one a role."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
    (folder / ".streamlit" / "secrets.toml").unlink(missing_ok=True)
    page = textwrap.indent(PAGE.format(title="Home", role="VISITOR"), "    ")
    (folder / "Home.py").write_text(HOME.format(page=page))
    (folder / "pages").mkdir()
    for name, role in PAGES.items():
        (folder / "pages" / f"{name}.py").write_text(PAGE.format(title=name[2:], role=role))
    return folder


@pytest.fixture(scope="module")
def app(start_app, home) -> RunningApp:
    """An app with nothing configured."""
    return start_app(home=home)


@pytest.fixture(scope="module")
def own_app(start_app, home) -> RunningApp:
    """As `make run` starts it."""
    return start_app(home=home, VIBECHECK_OWN_MACHINE="1")


@pytest.fixture
def browser(open_browser) -> BrowserContext:
    return open_browser()


def link(app: RunningApp) -> str:
    """The access link, as the terminal shows it."""
    found = wait_for(lambda: re.findall(r"http://\S+\?access=\S+", app.log.read_text()), "the link")
    assert len(found) == 1, "it is printed once"
    return found[0]


def expect_shut(page: Page, role: str = "analyst") -> None:
    expect(page.get_by_role("heading", name=f"For {role}s")).to_be_visible()
    page.wait_for_timeout(500)
    assert "secret-number" not in page.content()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def expect_open(page: Page, title: str = "Dashboard") -> None:
    expect(page.get_by_role("heading", name=f"{title} is open")).to_be_visible()
    expect(page.get_by_text("secret-number")).to_be_visible()


def test_the_terminal_shows_the_link_before_anybody_opens_a_page(start_app, open_browser):
    app = start_app()  # the pages that ship
    token = link(app).split("access=")[1]
    page = open_browser().new_page()
    page.goto(f"{app.url}/Dashboard?access={token}")
    expect(page.get_by_text("Models side by side")).to_be_visible()
    assert link(app)


def test_on_ones_own_machine_a_browser_opens_and_no_link_is_shown(start_app, tmp_path):
    opened = tmp_path / "opened"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    program.chmod(0o755)
    app = start_app(flags=["--server.headless", "false"], VIBECHECK_OWN_MACHINE="1", BROWSER=str(program))
    wait_for(lambda: opened.exists() and opened.read_text(), "a browser")
    assert opened.read_text().strip() == app.url
    assert "access=" not in app.log.read_text()


def test_with_nothing_configured_other_pages_are_shut_and_say_where_the_link_is(app, browser):
    page = browser.new_page()
    page.goto(app.url)
    expect_open(page, "Home")
    page.get_by_role("link", name="Dashboard").click()
    expect_shut(page)
    expect(page.get_by_text("access link")).to_be_visible()
    look(page, "access-shut")
    page.set_viewport_size({"width": 390, "height": 844})
    look(page, "access-shut-390")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_link_opens_all_pages_and_leaves_the_address_at_once(app, open_browser, width):
    context = open_browser(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(f"{app.url}/Dashboard")
    expect_shut(page)
    assert urlsplit(link(app)).path == "/Dashboard"
    token = link(app).split("access=")[1]

    page.goto(f"{app.url}/Dashboard?access={token}&week=3")
    expect_open(page)
    expect(page).to_have_url(f"{app.url}/Dashboard?week=3")
    assert token not in page.evaluate("document.cookie")
    (cookie,) = (c for c in context.cookies() if c["name"].startswith("vibecheck_access"))
    assert (cookie["sameSite"], cookie["expires"], cookie["path"]) == ("Strict", -1, "/")
    assert token not in cookie["value"]
    look(page, f"access-open-{width}")
    # Nor is it one step back.
    page.get_by_role("button", name="Again").click()
    expect_open(page)
    page.go_back()
    expect_shut_or_open = page.get_by_role("heading", name=re.compile("For analysts|Dashboard is open"))
    expect(expect_shut_or_open).to_be_visible()
    assert token not in page.url

    # It stays open: on another page, after a reload, in another tab; and nowhere else.
    page.goto(f"{app.url}/Fine-tune")
    expect_open(page, "Fine-tune")
    page.reload()
    expect_open(page, "Fine-tune")
    other = context.new_page()
    other.goto(f"{app.url}/Dashboard")
    expect_open(other)
    stranger = open_browser().new_page()
    stranger.goto(f"{app.url}/Dashboard")
    expect_shut(stranger)


def test_signing_out_shuts_the_pages_of_this_browser(app, browser):
    page = browser.new_page()
    page.goto(app.url)
    page.goto(link(app))
    page.get_by_role("link", name="Dashboard").click()
    expect_open(page)
    page.get_by_role("button", name="Sign out").click()
    expect_shut(page)
    page.reload()
    expect_shut(page)
    assert not [c for c in browser.cookies() if c["name"].startswith("vibecheck_access")]


def test_a_wrong_link_opens_nothing_and_is_taken_out_too(app, browser):
    page = browser.new_page()
    page.goto(f"{app.url}/Dashboard?access=wrong")
    expect_shut(page)
    expect(page.get_by_test_id("stAlert")).to_contain_text("opens nothing")
    expect(page).to_have_url(f"{app.url}/Dashboard")
    look(page, "access-wrong")


def test_a_pass_does_not_outlive_the_start(start_app, home, open_browser):
    token = "a-fixed-token-for-this-test"
    first = start_app(home=home, VIBECHECK_ACCESS_TOKEN=token)
    context = open_browser()
    page = context.new_page()
    page.goto(f"{first.url}/Dashboard?access={token}")
    expect_open(page)
    assert token not in first.log.read_text(), "what is set is not printed"
    expect(page).to_have_url(f"{first.url}/Dashboard")
    (cookie,) = (c for c in context.cookies() if c["name"].startswith("vibecheck_access"))
    second = start_app(home=home, VIBECHECK_ACCESS_TOKEN=token)
    name = f"vibecheck_access_{urlsplit(second.url).port}"
    context.add_cookies([{"name": name, "value": cookie["value"], "url": second.url}])
    page.goto(f"{second.url}/Dashboard")
    expect_shut(page)
    page.goto(f"{second.url}/Dashboard?access={token}")
    expect_open(page)


def test_on_ones_own_machine_every_page_is_open_and_no_link_is_needed(own_app, browser):
    page = browser.new_page()
    for url in (own_app.url, own_app.url.replace("127.0.0.1", "localhost")):
        page.goto(f"{url}/Fine-tune")
        expect_open(page, "Fine-tune")
    look(page, "access-own-machine")
    assert "access=" not in own_app.log.read_text()


def test_another_name_that_points_to_this_machine_is_shut(own_app, open_browser):
    """DNS rebinding: a page from elsewhere whose name was made to mean 127.0.0.1."""
    page = open_browser(flags=["--host-resolver-rules=MAP rebind.example 127.0.0.1"]).new_page()
    page.goto(f"{own_app.url}/Dashboard".replace("127.0.0.1", "rebind.example"))
    expect_shut(page)
    expect(page.get_by_text("for its own machine alone")).to_be_visible()
    look(page, "access-rebind")


@pytest.mark.parametrize(
    "change",
    [
        lambda head, app: head.replace(b"\r\n", b"\r\nX-Forwarded-For: 203.0.113.7\r\n", 1),
        lambda head, app: head.replace(b"\r\n", b"\r\nForwarded: for=203.0.113.7\r\n", 1),
        lambda head, app: re.sub(rb"(?i)\r\nHost: [^\r]+", b"\r\nHost: " + app.url[7:].encode(), head),
    ],
    ids=["X-Forwarded-For", "Forwarded", "no mark, and a Host of its own"],
)
def test_a_proxy_on_the_same_machine_does_not_open_it(own_app, browser, change):
    with proxy(own_app, lambda head: change(head, own_app)) as url:
        page = browser.new_page()
        page.goto(f"{url}/Dashboard")
        expect_shut(page)


def test_a_server_that_listens_to_everybody_is_not_ones_own_machine(start_app, home, browser):
    app = start_app(home=home, VIBECHECK_OWN_MACHINE="1", address="0.0.0.0")
    page = browser.new_page()
    page.goto(f"{app.url}/Dashboard")
    expect_shut(page)
    page.goto(f"{app.url}/Dashboard?access={link(app).split('access=')[1]}")
    expect_open(page)


@contextmanager
def proxy(app: RunningApp, change: Callable[[bytes], bytes]) -> Iterator[str]:
    """A reverse proxy in front of an app, which changes the head of each connection's first request."""
    upstream = urlsplit(app.url)

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(client: socket.socket) -> None:
        with closing(client), socket.create_connection((upstream.hostname, upstream.port)) as server:
            head = b""
            while b"\r\n\r\n" not in head and (data := client.recv(65536)):
                head += data
            # One request a connection, so that each one's head is changed.
            head = change(head)
            if b"upgrade: websocket" not in head.lower():
                head = re.sub(rb"(?i)\r\nConnection: [^\r]+", b"\r\nConnection: close", head)
            server.sendall(head)
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join()

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def sign_in(start_app, home, tmp_path_factory) -> Iterator[RunningApp]:
    """An app whose visitors sign in at a provider that knows four people."""
    people = {
        "ann@example.org": True,
        "bob@firm.example": True,
        "eve@firm.example": False,
        "zoe@example.org": True,
    }
    with identity_provider(people) as provider:
        user = tmp_path_factory.mktemp("user")
        (user / ".streamlit").mkdir()
        (user / ".streamlit" / "secrets.toml").write_text(
            "[auth]\n"
            'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
            f'cookie_secret = "{"s" * 40}"\n'
            'client_id = "vibecheck"\n'
            'client_secret = "shared with the stand-in"\n'
            f'server_metadata_url = "{provider}/.well-known/openid-configuration"\n'
        )
        yield start_app(
            home=home,
            HOME=str(user),
            VIBECHECK_ANALYSTS="Ann@Example.org",
            VIBECHECK_TRAINERS="@firm.example",
            VIBECHECK_ACCESS_TOKEN="not-used-with-sign-in",
        )


def sign_in_as(page: Page, person: str) -> None:
    page.get_by_role("button", name="Sign in").last.click()
    page.get_by_role("link", name=person).click()
    expect(page.get_by_text(f"Signed in as {person}")).to_be_visible()


def test_who_is_on_a_list_signs_in_and_is_let_in_as_far_as_listed(sign_in, browser):
    page = browser.new_page()
    page.goto(f"{sign_in.url}/Dashboard?access=not-used-with-sign-in")
    expect_shut(page)
    look(page, "access-sign-in")
    sign_in_as(page, "ann@example.org")
    page.get_by_role("link", name="Dashboard").click()
    expect_open(page)
    page.get_by_role("link", name="Fine-tune").click()
    expect_shut(page, "trainer")
    expect(page.get_by_text("VIBECHECK_TRAINERS")).to_be_visible()
    look(page, "access-not-listed")
    page.reload()
    expect_shut(page, "trainer")
    page.get_by_role("link", name="Dashboard").click()
    expect_open(page)

    page.get_by_role("button", name="Sign out").click()
    expect_open(page, "Home")
    page.get_by_role("link", name="Dashboard").click()
    expect_shut(page)


def test_a_domain_lets_in_whoever_has_a_verified_address_there(sign_in, open_browser):
    page = open_browser().new_page()
    page.goto(f"{sign_in.url}/Fine-tune")
    sign_in_as(page, "bob@firm.example")
    page.get_by_role("link", name="Fine-tune").click()
    expect_open(page, "Fine-tune")
    page = open_browser().new_page()
    page.goto(f"{sign_in.url}/Fine-tune")
    sign_in_as(page, "eve@firm.example")
    page.get_by_role("link", name="Fine-tune").click()
    expect_shut(page, "trainer")
    expect(page.get_by_text("has not verified")).to_be_visible()


def test_who_is_on_no_list_is_a_visitor(sign_in, browser):
    page = browser.new_page()
    page.goto(sign_in.url)
    sign_in_as(page, "zoe@example.org")
    page.get_by_role("link", name="Dashboard").click()
    expect_shut(page)
