"""The server that Streamlit runs: its start, and what a browser shows before a page is there."""

import asyncio
import contextlib
import gc
import webbrowser
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

INDEX = Path(st.__file__).parent / "static" / "index.html"
TIDY = 15.0  # s
LOGO = Path(__file__).with_name("logo.svg")
# Streamlit's own page is white and empty until 2 MB of scripts are there: a minute on a slow phone.
# What stands in #root is replaced by the app.
SPLASH = """<style>html, body {{ background: #0E1016; margin: 0; }}
#root > .vc-splash {{ height: 100vh; display: grid; place-content: center; justify-items: center; gap: 1rem;
  color: #98A2B3; font: 15px/1.5 system-ui, sans-serif; }}
.vc-splash svg {{ height: 2.2rem; width: auto; }}</style>
<div class="vc-splash" role="status">{logo}<span>Loading the page…</span></div>"""


@contextlib.asynccontextmanager
async def serving(server: st.App) -> AsyncIterator[None]:
    """As long as the server runs, whose runtime is there by now."""
    # Not at the top: what is cached, and components, have to be imported where there is a runtime.
    from vibecheck.ui.access import access_pass, gate

    gate.announce()
    if not st.get_option("server.headless"):  # Streamlit opens none for a server of this kind
        asyncio.get_running_loop().run_in_executor(None, webbrowser.open, access_pass.address())
    tidying = asyncio.create_task(_tidy())
    yield
    tidying.cancel()


async def _tidy() -> None:
    """Collect what pages and visitors left behind in circles, in place of Streamlit (see its config.toml)."""
    while True:
        await asyncio.sleep(TIDY)
        gc.collect()


def doors(pages: Iterable[Path]) -> list[Route]:
    """Where browsers come in: the front page and those of these files, each with a splash until it is drawn.

    Nothing where Streamlit's own page has no place for it: then that one is served.
    """
    html = with_splash(INDEX.read_text(encoding="utf-8"))
    if html is None:
        return []

    async def answer(request: Request) -> HTMLResponse:
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    start = f"/{base}" if base else ""
    names = ["", *(page.stem.split("_", 1)[1] for page in pages)]
    return [Route(f"{start}/{name}", answer) for name in names]


def with_splash(index: str) -> str | None:
    """Streamlit's page with a splash and the product's name, or None if it is not as expected."""
    root, title = '<div id="root"></div>', "<title>Streamlit</title>"
    if index.count(root) != 1 or index.count(title) != 1:
        return None
    splash = SPLASH.format(logo=LOGO.read_text(encoding="utf-8"))
    return index.replace(root, f'<div id="root">{splash}</div>').replace(title, "<title>VibeCheck</title>")
