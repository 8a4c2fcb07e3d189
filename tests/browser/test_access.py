"""Access in a real browser: by the access link, and through an identity provider.

The pages of this app are small ones; the gate in them is the real one.
"""

import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import ROOT, RunningApp, look, settled
from tests.standins.oidc import identity_provider
from tests.waiting import wait_for

pytestmark = pytest.mark.browser

PAGE = """
import streamlit as st
from vibecheck.access.roles import Role
from vibecheck.ui.access import gate
from vibecheck.ui.shared import app

app.start_page("{title}")
gate.require(Role.{role})
st.title("{title} is open")
st.write("secret-" + "number")
st.button("Again")
app.end_page()
"""
# As the app's own: a script, and what serves it.
HOME = """
from vibecheck.ui.shared.server import MIDDLEWARE, lifespan

if __name__ == "__main__":
{page}
else:
    import streamlit as st

    server = st.App(__file__, lifespan=lifespan, middleware=MIDDLEWARE)
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


@pytest.fixture
def browser(open_browser) -> BrowserContext:
    return open_browser()


def expect_shut(page: Page, role: str = "analyst") -> None:
    expect(page.get_by_role("heading", name=f"For {role}s")).to_be_visible()
    settled(page)
    assert "secret-number" not in page.content()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def expect_open(page: Page, title: str = "Dashboard") -> None:
    expect(page.get_by_role("heading", name=f"{title} is open")).to_be_visible()
    expect(page.get_by_text("secret-number")).to_be_visible()


def test_access_link_is_opened_in_a_browser_if_there_is_a_desktop(start_app, open_browser, tmp_path):
    opened = tmp_path / "opened"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    program.chmod(0o755)
    app = start_app(flags=["--server.headless", "false"], BROWSER=str(program))  # the pages that ship
    address = wait_for(lambda: opened.exists() and opened.read_text().strip(), "a browser")
    # What it was started with stands in its command line, which every account of the machine can read.
    assert "access" not in address
    redirect = Path(unquote(urlsplit(address).path))
    assert redirect.is_relative_to(app.data) and redirect.stat().st_mode & 0o777 == 0o600
    page = open_browser().new_page()
    page.goto(address)
    expect(page).to_have_url(f"{app.url}/")
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_text("0 of 30 answers")).to_be_visible()
    app.stop()
    assert not redirect.exists()


def test_other_pages_are_closed_by_default_and_say_where_the_link_is(app, browser):
    page = browser.new_page()
    page.goto(app.url)
    expect_open(page, "Home")
    for name in ("Dashboard", "Fine-tune"):
        expect(page.get_by_role("link", name=name)).to_be_hidden()
    expect(page.get_by_role("link", name="Corrections")).to_be_visible()
    page.goto(f"{app.url}/Dashboard")
    expect_shut(page)
    expect(page.get_by_text("access link")).to_be_visible()
    look(page, "access-shut")
    page.set_viewport_size({"width": 390, "height": 844})
    look(page, "access-shut-390")


@pytest.mark.parametrize("width", [1440, 390])
def test_link_opens_all_pages_and_is_removed_from_the_address_bar(app, open_browser, width):
    context = open_browser(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(f"{app.url}/Dashboard")
    expect_shut(page)
    token = app.link().split("access=")[1]
    addresses = []
    page.on("framenavigated", lambda frame: addresses.append(frame.url))
    page.goto(f"{app.link('Dashboard')}&week=3")
    expect_open(page)
    expect(page).to_have_url(f"{app.url}/Dashboard?week=3")
    assert not any(token in address for address in addresses), "it was never shown"
    assert "vibecheck" not in page.evaluate("document.cookie"), "script cannot read it"
    (cookie,) = (c for c in context.cookies() if c["name"].startswith("vibecheck_access"))
    assert (cookie["sameSite"], cookie["expires"], cookie["path"]) == ("Strict", -1, "/")
    assert cookie["httpOnly"] and token not in cookie["value"]
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


def test_signing_out_closes_the_pages_of_this_browser(app, browser):
    page = browser.new_page()
    page.goto(app.url)
    page.goto(app.link())
    page.get_by_role("link", name="Dashboard").click()
    expect_open(page)
    other = browser.new_page()
    other.goto(f"{app.url}/Fine-tune")
    expect_open(other, "Fine-tune")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect_shut(page)
    expect_shut(other, "trainer")  # by itself: the page keeps its sidebar up to date
    page.reload()
    expect_shut(page)
    assert not [c for c in browser.cookies() if c["name"].startswith("vibecheck_access")]


def test_wrong_link_opens_nothing_and_leads_to_the_first_page(app, browser):
    page = browser.new_page()
    page.goto(f"{app.url}/Dashboard?access=wrong")
    expect(page.get_by_role("heading", name="This link does not open VibeCheck")).to_be_visible()
    look(page, "access-wrong")
    page.get_by_role("link", name="Go to the first page").click()
    expect_open(page, "Home")


def test_pass_is_invalid_after_a_restart(start_app, home, open_browser):
    token = "a-fixed-token-for-this-test-alone"
    first = start_app(home=home, VIBECHECK_ACCESS_TOKEN=token)
    context = open_browser()
    page = context.new_page()
    page.goto(first.link("Dashboard"))
    expect_open(page)
    assert token not in first.log.read_text(), "what is set is not printed"
    (cookie,) = (c for c in context.cookies() if c["name"].startswith("vibecheck_access"))
    second = start_app(home=home, VIBECHECK_ACCESS_TOKEN=token)
    name = f"vibecheck_access_{urlsplit(second.url).port}"
    context.add_cookies([{"name": name, "value": cookie["value"], "url": second.url}])
    page.goto(f"{second.url}/Dashboard")
    expect_shut(page)
    page.goto(second.link("Dashboard"))
    expect_open(page)


def test_link_on_another_site_opens_the_page(app, browser):
    """The pass's cookie is SameSite=Strict: it is set by the redirect, and sent by the page's connection."""
    page = browser.new_page()
    page.route(
        "http://chat.example/", lambda route: route.fulfill(body=f"<a href='{app.link('Dashboard')}'>x</a>")
    )
    page.goto("http://chat.example/")
    page.get_by_role("link").click()
    expect_open(page)


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
            VIBECHECK_ACCESS_TOKEN="a-token-not-used-with-sign-in-at-all",
        )


def sign_in_as(page: Page, person: str) -> None:
    page.get_by_role("button", name="Sign in").last.click()
    page.get_by_role("link", name=person).click()
    expect(page.get_by_text(f"Signed in as {person}")).to_be_visible()


def test_signed_in_user_gets_only_the_role_listed_for_them(sign_in, browser):
    page = browser.new_page()
    page.goto(f"{sign_in.url}/Dashboard?access=a-token-not-used-with-sign-in-at-all")
    expect_shut(page)
    look(page, "access-sign-in")
    sign_in_as(page, "ann@example.org")
    page.get_by_role("link", name="Dashboard").click()
    expect_open(page)
    expect(page.get_by_role("link", name="Fine-tune")).to_be_hidden()
    page.goto(f"{sign_in.url}/Fine-tune")
    expect_shut(page, "trainer")
    expect(page.get_by_text("VIBECHECK_TRAINERS")).to_be_visible()
    look(page, "access-not-listed")
    page.reload()
    expect_shut(page, "trainer")
    page.get_by_role("link", name="Dashboard").click()
    expect_open(page)

    page.get_by_role("button", name="Sign out").click()
    expect_open(page, "Home")
    page.goto(f"{sign_in.url}/Dashboard")
    expect_shut(page)


def test_listed_domain_admits_verified_addresses_of_that_domain(sign_in, open_browser):
    page = open_browser().new_page()
    page.goto(f"{sign_in.url}/Fine-tune")
    sign_in_as(page, "bob@firm.example")
    page.get_by_role("link", name="Fine-tune").click()
    expect_open(page, "Fine-tune")
    page = open_browser().new_page()
    page.goto(f"{sign_in.url}/Fine-tune")
    sign_in_as(page, "eve@firm.example")
    page.goto(f"{sign_in.url}/Fine-tune")
    expect_shut(page, "trainer")
    expect(page.get_by_text("has not verified")).to_be_visible()


def test_signed_in_user_on_no_list_is_a_visitor(sign_in, browser):
    page = browser.new_page()
    page.goto(sign_in.url)
    sign_in_as(page, "zoe@example.org")
    page.goto(f"{sign_in.url}/Dashboard")
    expect_shut(page)
