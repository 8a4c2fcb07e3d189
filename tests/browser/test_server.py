"""What browsers get before Streamlit has drawn anything."""

import json
import sys
from io import BytesIO
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from PIL import Image
from playwright.sync_api import expect
from streamlit import config

from tests.browser.conftest import look
from vibecheck.ui.shared.home_screen import ICON
from vibecheck.ui.shared.server import INDEX, STYLE, page_routes, with_splash

pytestmark = pytest.mark.browser
MANIFEST = ICON.with_name("manifest.webmanifest")


@pytest.fixture(scope="module")
def app(start_app):
    return start_app()


def test_each_page_begins_with_the_products_name_its_style_and_a_splash(app):
    for path in ("/", "/Corrections", "/Dashboard", "/Fine-tune?base=embedded", "/About"):
        answer = requests.get(app.url + path, timeout=10)
        assert answer.status_code == 200 and answer.headers["cache-control"] == "private, no-cache"
        assert "<title>VibeCheck</title>" in answer.text and "Loading the page" in answer.text
        # Nothing is painted without its style; in the body it comes after Streamlit's own.
        assert STYLE.read_text(encoding="utf-8") in answer.text.partition("<body>")[2]
    assert requests.get(app.url + "/_stcore/health", timeout=10).text == "ok"
    assert "Loading the page" not in requests.get(app.url + "/nothing", timeout=10).text


def test_splash_is_shown_until_the_scripts_are_loaded(app, open_browser):
    page = open_browser().new_page()
    page.route("**/static/js/**", lambda route: route.abort())
    page.goto(app.url)
    assert page.get_by_text("Loading the page").is_visible()
    look(page, "splash")
    page.unroute("**/static/js/**")
    page.goto(app.url)
    page.get_by_role("heading", name="What's your vibe?").wait_for()
    assert page.get_by_text("Loading the page").count() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's maps")
def test_home_page_does_not_load_pandas(app, open_browser):
    page = open_browser().new_page()
    page.goto(app.url)
    page.frame_locator('iframe[title*="webrtc"]').get_by_role("button", name="START").wait_for()
    loaded = Path(f"/proc/{app.pid}/maps").read_text()
    assert "pyarrow" in loaded and "pandas" not in loaded


@pytest.mark.parametrize(("base", "start"), [("", ""), ("vibe", "/vibe"), ("/a/b/", "/a/b")])
def test_page_routes_follow_the_base_url_path(base, start):
    before = config.get_option("server.baseUrlPath")
    config.set_option("server.baseUrlPath", base)
    try:
        paths = [route.path for route in page_routes([Path("2_Fine-tune.py")])]
        assert paths[:3] == [f"{start}/", f"{start}/Fine-tune", f"{start}/manifest.webmanifest"]
        shown = with_splash(INDEX.read_text(encoding="utf-8"), start)
        for each in json.loads(MANIFEST.read_text(encoding="utf-8"))["icons"]:
            assert f"{start}/{each['src']}" in paths
        assert f'href="{start}/manifest.webmanifest"' in shown and f'href="{start}/icon.svg"' in shown
    finally:
        config.set_option("server.baseUrlPath", before)


def test_unknown_index_page_is_not_modified():
    index = INDEX.read_text(encoding="utf-8")
    assert with_splash(index)
    assert with_splash(index.replace('<div id="root">', '<div id="app">')) is None
    assert with_splash("") is None


def test_app_can_be_added_to_a_phones_home_screen(app, open_browser):
    page = open_browser(color_scheme="light").new_page()
    external = []
    page.on("request", lambda request: external.append(request.url))
    page.goto(app.url)
    expect(page.get_by_role("heading", name="What's your vibe?")).to_be_visible()
    found = page.request.get(f"{app.url}/manifest.webmanifest")
    assert found.headers["content-type"].startswith("application/manifest+json")
    assert urljoin(found.url, found.json()["start_url"]) == f"{app.url}/"
    for icon in found.json()["icons"]:
        size = int(icon["sizes"].partition("x")[0])
        with Image.open(BytesIO(page.request.get(urljoin(found.url, icon["src"])).body())) as picture:
            assert picture.size == (size, size)
    assert page.locator('link[rel="manifest"]').get_attribute("href") == "/manifest.webmanifest"
    # The icon of the tab is ours, and comes from here.
    icon = page.locator('link[rel~="icon"]').last.get_attribute("href")
    assert icon.startswith("data:image/svg+xml") or icon == "/icon.svg"
    assert {urlsplit(url).hostname for url in external if url.startswith("http")} == {"127.0.0.1"}
    # There is one theme, dark, whatever the browser prefers, and none to choose.
    background = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    assert page.evaluate(background) == "rgb(14, 16, 22)"
    expect(page.get_by_test_id("stMainMenu")).to_have_count(0)
