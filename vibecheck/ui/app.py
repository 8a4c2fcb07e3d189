"""What all pages share: the parts of the app, opened once, and the frame of a page."""

import gc
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import streamlit as st

from vibecheck.classifier import EMBEDDED, Classifier
from vibecheck.errors import RecordsError, VibeCheckError
from vibecheck.faces import FaceDetector
from vibecheck.music import Music
from vibecheck.reading import Reader
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.ui import theme
from vibecheck.ui.visitor import remember

log = logging.getLogger(__name__)

LOGO = Path(__file__).with_name("logo.svg")


def start_page(title: str) -> None:
    """The first call of every page: its title, its look, and the parts it needs.

    Where the settings or the model cannot be used, the page says so and stops.
    """
    st.set_page_config(page_title=f"{title} · VibeCheck", page_icon="🎧", layout="wide")
    theme.apply()
    st.logo(LOGO, size="large")
    try:
        reader()
        music()
    except VibeCheckError as error:
        st.error(str(error), icon="⚠️")
        st.stop()
    with st.sidebar:
        theme.quiet(f"Model: {reader().classifier.version}. It reads expressions, not feelings.")


def end_page(loaded: str = "app") -> None:
    """The last call of every page. `loaded` names what it has loaded that other pages have not."""
    remember()
    _settle(loaded)


@st.cache_resource(show_spinner=False)
def _settle(loaded: str) -> None:
    """Take what was loaded by now out of the garbage collector's sight.

    Streamlit collects garbage after every run of a page or fragment: 75 ms over everything that was
    ever imported, in which the video stands still. What is here now is here to stay.
    """
    gc.collect()
    gc.freeze()


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings, read once."""
    return Settings.load()


@st.cache_resource(show_spinner="Waking up the model…")
def reader() -> Reader:
    """The face detector and the model, opened once for all visitors."""
    return Reader(FaceDetector(), Classifier.load(EMBEDDED, settings().threads))


@st.cache_resource(show_spinner=False)
def model_card() -> str:
    """The card of the model in use, as Markdown, without its title."""
    text = (EMBEDDED / "README.md").read_text(encoding="utf-8")
    return text.partition("\n")[2]


@st.cache_resource(show_spinner=False)
def music() -> Music:
    """Where playlists come from."""
    return Music.open(settings())


@st.cache_resource(show_spinner=False)
def _store() -> Store:
    return Store.open(settings())


def store() -> Store:
    """The records. Raises RecordsError while they cannot be opened; tried again at each call."""
    opened = _store()
    _sweep()
    return opened


@st.cache_resource(show_spinner=False, ttl=timedelta(days=1))
def _sweep() -> None:
    """Delete what has been kept for long enough: when the app starts, and then once a day.

    What cannot be deleted now does not stop what is to be stored; it is said in the terminal.
    """
    try:
        _store().purge(datetime.now(UTC) - timedelta(days=settings().retention_days))
    except RecordsError as error:
        log.warning("Old records could not be deleted: %s", error)
