"""What all pages share: the parts of the app, opened once, and the frame of a page."""

import gc
from datetime import timedelta

import streamlit as st

from vibecheck.access.roles import Role
from vibecheck.comet.process import SendingProcess
from vibecheck.errors import RecordsError, VibeCheckError
from vibecheck.models.live_model import LiveModel
from vibecheck.models.registry import Registry
from vibecheck.music.recommender import Music
from vibecheck.records.db.circuit_breaker import CircuitBreaker
from vibecheck.records.deletion.retention import Sweeper
from vibecheck.records.store import Store
from vibecheck.training.runs import Jobs
from vibecheck.ui.access import gate
from vibecheck.ui.shared import comet_status, model_status, theme
from vibecheck.ui.shared.configuration import settings
from vibecheck.ui.shared.serving import LOGO
from vibecheck.ui.shared.visitor import remember
from vibecheck.vision.reader import Reader


def start_page(title: str) -> None:
    """The first call of every page: its title, its look, and the parts it needs.

    Where the settings or the model cannot be used, the page says so and stops.
    """
    st.set_page_config(page_title=f"{title} · VibeCheck", page_icon="🎧", layout="wide")
    theme.apply()
    st.logo(LOGO, size="large")
    try:
        live_model()
        music()
    except VibeCheckError as error:
        st.error(str(error), icon="⚠️")
        st.stop()
    # Filled at the end: a page that is shut opens no records, not even to ask this.
    st.session_state.banner = st.empty()
    with st.sidebar:
        model_status.line(live_model())
        gate.greet()
    model_status.news(live_model())


def end_page(loaded: str = "app") -> None:
    """The last call of every page. `loaded` names what it has loaded that other pages have not."""
    if synthetic():
        with st.session_state.banner.container(key="synthetic"):
            st.info(
                "**Synthetic history:** these records are made up. Your own vibe checks are shown, but not "
                "recorded.",
                icon=":material/science:",
            )
    elif settings().comet_api_key is not None:
        _sending().ensure()
        comet_status.draw(gate.role() >= Role.ANALYST, store)
    remember()
    _settle(loaded)


@st.cache_resource(show_spinner=False)
def _settle(loaded: str) -> None:
    """Take what was loaded by now out of the garbage collector's sight.

    To look through all that was ever imported takes 75 ms, in which the video stands still. What is here now
    is here to stay.
    """
    gc.collect()
    gc.freeze()


@st.cache_resource(show_spinner="Waking up the model…", on_release=LiveModel.stop)
def live_model() -> LiveModel:
    """The model that runs now, opened once for all visitors."""
    return LiveModel(settings()).follow()


def reader() -> Reader:
    """Reads faces with the model that runs now."""
    return live_model().reader


@st.cache_resource(show_spinner=False)
def music() -> Music:
    """Where playlists come from."""
    return Music.open(settings())


@st.cache_resource(show_spinner=False)
def _sending() -> SendingProcess:
    """The process that sends the records to Comet; it ends when this one does."""
    return SendingProcess()


@st.cache_resource(show_spinner=False)
def _opening() -> CircuitBreaker:
    return CircuitBreaker()


@st.cache_resource(show_spinner=False)
def _store() -> Store:
    return _opening().attempt(lambda: Store.open(settings().records_url, settings().images_url))


@st.cache_resource(show_spinner=False, on_release=Registry.close)
def registry() -> Registry:
    """The versions of the model. Raises RecordsError while the records cannot be opened."""
    return Registry.open(settings())


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The training runs. Raises RecordsError while the records cannot be opened."""
    return Jobs.open(settings())


def store() -> Store:
    """The records. Raises RecordsError while they cannot be opened; tried again at each call."""
    opened = _store()
    _sweeper()
    return opened


@st.cache_resource(show_spinner=False, ttl=timedelta(minutes=1))
def synthetic() -> bool:
    """Whether the records are made up. Asked once a minute: a database that is away delays few pages."""
    try:
        return _store().synthetic()
    except RecordsError:
        return False  # whatever needs the records says what is the matter with them


@st.cache_resource(show_spinner=False, on_release=Sweeper.stop)
def _sweeper() -> Sweeper:
    """Deletes what has been kept for long enough: from the first use of the records on, once a day."""
    return Sweeper(_store(), timedelta(days=settings().retention_days))
