"""What browsers get before Streamlit has drawn anything."""

from pathlib import Path

import pytest
import requests
from streamlit import config

from tests.browser.conftest import look
from vibecheck.ui.shared.server import INDEX, page_routes, with_splash

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(start_app):
    return start_app()


def test_each_page_begins_with_the_products_name_and_a_splash(app):
    for path in ("/", "/Corrections", "/Dashboard", "/Fine-tune?base=embedded", "/About"):
        answer = requests.get(app.url + path, timeout=10)
        assert answer.status_code == 200 and answer.headers["cache-control"] == "private, no-cache"
        assert "<title>VibeCheck</title>" in answer.text and "Loading the page" in answer.text
    assert requests.get(app.url + "/_stcore/health", timeout=10).text == "ok"
    assert "Loading the page" not in requests.get(app.url + "/nothing", timeout=10).text


def test_until_its_scripts_are_there_a_browser_shows_the_splash(app, open_browser):
    page = open_browser().new_page()
    page.route("**/static/js/**", lambda route: route.abort())
    page.goto(app.url)
    assert page.get_by_text("Loading the page").is_visible()
    look(page, "splash")
    page.unroute("**/static/js/**")
    page.goto(app.url)
    page.get_by_role("heading", name="What's your vibe?").wait_for()
    assert page.get_by_text("Loading the page").count() == 0


@pytest.mark.parametrize(("base", "start"), [("", ""), ("vibe", "/vibe"), ("/a/b/", "/a/b")])
def test_pages_are_where_the_base_of_the_address_is(base, start):
    before = config.get_option("server.baseUrlPath")
    config.set_option("server.baseUrlPath", base)
    try:
        assert [route.path for route in page_routes([Path("2_Fine-tune.py")])] == [
            f"{start}/",
            f"{start}/Fine-tune",
        ]
    finally:
        config.set_option("server.baseUrlPath", before)


def test_another_index_than_streamlits_is_left_alone():
    index = INDEX.read_text(encoding="utf-8")
    assert with_splash(index)
    assert with_splash(index.replace('<div id="root">', '<div id="app">')) is None
    assert with_splash("") is None
