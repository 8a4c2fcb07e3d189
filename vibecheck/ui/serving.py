"""The server that Streamlit runs: what happens when it starts, before anybody opens a page."""

import asyncio
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st


@asynccontextmanager
async def serving(server: st.App) -> AsyncIterator[None]:
    """As long as the server runs, whose runtime is there by now."""
    # Not at the top: what is cached, and components, have to be imported where there is a runtime.
    from vibecheck.ui import access_pass, gate

    gate.announce()
    if not st.get_option("server.headless"):  # Streamlit opens none for a server of this kind
        asyncio.get_running_loop().run_in_executor(None, webbrowser.open, access_pass.address())
    yield
