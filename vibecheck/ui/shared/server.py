"""The web server around Streamlit: what starts with it, and what a browser shows before a page is there."""

import asyncio
import contextlib
import gc
import logging
import os
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator, Iterable
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit.components.v1 import custom_component
from streamlit.components.v2 import manifest_scanner
from streamlit.components.v2.bidi_component import serialization
from streamlit.runtime import Runtime
from streamlit.runtime.secrets import Secrets

from vibecheck.errors import SettingsError
from vibecheck.settings import without_effect
from vibecheck.settings.files import read_dotenv
from vibecheck.ui.access import access_link, upload_file
from vibecheck.ui.access.browser_guard import BrowserGuard
from vibecheck.ui.access.security_headers import SecurityHeaders
from vibecheck.ui.shared import home_screen, script_runs
from vibecheck.ui.shared.configuration import base_path, settings
from vibecheck.vision import allocator

log = logging.getLogger(__name__)

MIDDLEWARE = (Middleware(SecurityHeaders), Middleware(BrowserGuard))
INDEX = Path(st.__file__).parent / "static" / "index.html"
COLLECT_EVERY = 15.0  # s
# s: Python's switch interval while a page is drawn, and how often to check for pages.
SWITCH_INTERVAL, LOOK_EVERY = 0.001, 0.25
DRAWS_A_PAGE = "ScriptRunner.scriptThread"  # Streamlit's name of such a thread
REDIRECT_LASTS = 60.0  # s
LOGO = Path(__file__).with_name("logo.svg")
SPLASH, STYLE = (Path(__file__).with_name(name) for name in ("splash.css", "style.css"))
REDIRECT = """<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={link}"><a href="{link}">Open VibeCheck</a>"""

# Components get JSON from our pages. To see that it contains no table, Streamlit (1.67) would import pandas,
# which takes 0.3 s and 40 MB.
for module in (custom_component, serialization):
    module.is_dataframe_like = lambda value: False  # type: ignore[attr-defined]
# All our components are in the app itself. Streamlit (1.67) would also look for some in every installed
# package, and parsing the metadata of all of them takes a quarter of a second.
manifest_scanner.scan_component_manifests = lambda max_workers=None: []
script_runs.one_at_a_time()
script_runs.finish_callbacks()
_set_variable = Secrets._maybe_set_environment_variable


def _export(name: str, value: object) -> None:
    """Set a secret as an environment variable, unless the environment or .env has it.

    Streamlit (1.67) would replace it, so `make demo` would use the database that the secrets name.
    """
    with contextlib.suppress(SettingsError):  # every page reports that .env cannot be read
        if name in os.environ or name in read_dotenv():
            return
    _set_variable(name, value)


Secrets._maybe_set_environment_variable = staticmethod(_export)  # type: ignore[assignment, method-assign]


@contextlib.asynccontextmanager
async def lifespan(server: st.App) -> AsyncIterator[None]:
    """Tasks that run as long as the server does. Streamlit's runtime has already started."""
    allocator.retain_less()
    upload_file.keep_in_memory()
    access_link.announce()
    with contextlib.suppress(SettingsError):  # every page reports a file that cannot be read
        for sentence in without_effect():
            log.warning("%s", sentence)
    tasks = [
        asyncio.create_task(_collect_garbage()),
        asyncio.create_task(keep_video_smooth()),
        asyncio.create_task(asyncio.to_thread(_start_background)),
    ]
    if not st.get_option("server.headless"):  # Streamlit opens no browser for an st.App
        tasks.append(asyncio.create_task(_open_browser()))
    yield
    for task in tasks:
        task.cancel()


def _start_background() -> None:
    from vibecheck.ui.shared import app  # takes a second to import

    app.start_background()


async def _open_browser() -> None:
    """Open the access link in a browser.

    Through a redirect in a file that only this user can read, since every account of the machine can see the
    command line of the browser that is started.
    """
    try:
        page = settings().data.absolute() / "open-vibecheck.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.unlink(missing_ok=True)
        page.touch(mode=0o600)
        page.write_text(REDIRECT.format(link=escape(access_link.link())), encoding="utf-8")
    except (OSError, SettingsError):
        await asyncio.to_thread(webbrowser.open, access_link.address())
        return
    try:
        await asyncio.to_thread(webbrowser.open, page.as_uri())
        await asyncio.sleep(REDIRECT_LASTS)
    finally:
        page.unlink(missing_ok=True)


async def _collect_garbage() -> None:
    """Collect garbage occasionally, instead of after every run as Streamlit does (see its config.toml)."""
    while True:
        await asyncio.sleep(COLLECT_EVERY)
        drop_closed_sessions()
        gc.collect()
        allocator.trim()


def drop_closed_sessions() -> None:
    """Drop sessions that can no longer be resumed, with the visitors' pictures and files.

    Streamlit (1.67) would do so only when the next session closes.
    """
    manager: Any = Runtime.instance()._session_mgr
    manager._session_storage._cache.expire()


async def keep_video_smooth() -> None:
    """Keep live video smooth while pages are drawn, for as long as the server runs.

    Reading a frame releases the GIL a dozen times, and each time waits for the threads that draw pages, which
    keep it for 5 ms by default. With a dozen busy visitors that costs every twentieth frame. While no page is
    drawn, a shorter interval would only cost CPU: a third more with twelve videos.
    """
    usual = sys.getswitchinterval()
    while True:
        drawing = any(thread.name == DRAWS_A_PAGE for thread in threading.enumerate())
        sys.setswitchinterval(SWITCH_INTERVAL if drawing else usual)
        await asyncio.sleep(LOOK_EVERY)


def page_routes(pages: Iterable[Path]) -> list[Route]:
    """The front page and those of these files, each with a splash until it is drawn, and icons.

    Without the pages if Streamlit's own page has no place for the splash: then that page is served.
    """
    start = base_path()
    html = with_splash(INDEX.read_text(encoding="utf-8"), start)
    if html is None:
        return home_screen.routes(start)

    async def answer(request: Request) -> HTMLResponse:
        return HTMLResponse(html, headers={"Cache-Control": "private, no-cache"})

    names = ["", *(page.stem.split("_", 1)[1] for page in pages)]
    return [*(Route(f"{start}/{name}", answer) for name in names), *home_screen.routes(start)]


def with_splash(index: str, start: str = "") -> str | None:
    """Streamlit's page with a splash and our name, style and icons, or None if it is not as expected.

    `start` is the path of the app, empty at the root.
    """
    # The style of every page is here too, since a slow phone paints a page before Streamlit has sent it. In
    # the body it comes after Streamlit's own, and so takes precedence.
    logo, *styles = (file.read_text(encoding="utf-8") for file in (LOGO, SPLASH, STYLE))
    splash = f'<div class="vc-splash" role="status">{logo}<span>Loading the page…</span></div>'
    parts = {
        '<div id="root"></div>': f'<style>{"".join(styles)}</style><div id="root">{splash}</div>',
        "<title>Streamlit</title>": "<title>VibeCheck</title>",
        '<link rel="shortcut icon" href="./favicon.png" />': home_screen.head(start),
    }
    for part, ours in parts.items():
        if index.count(part) != 1:
            return None
        index = index.replace(part, ours)
    return index
