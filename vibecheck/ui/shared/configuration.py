"""The settings of the running app."""

import streamlit as st

from vibecheck.settings import Settings
from vibecheck.ui.shared.process_state import ProcessValue

# Read once. Calling it raises SettingsError.
settings = ProcessValue(Settings.load)


def base_path() -> str:
    """The path of the app (`server.baseUrlPath`) with a slash before it; empty at the root of its address."""
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""
