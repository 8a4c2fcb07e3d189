"""The settings of the running app."""

import streamlit as st

from vibecheck.settings import Settings


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings, read once. Raises SettingsError."""
    return Settings.load()
