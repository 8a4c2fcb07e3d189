"""What all pages share: the parts of the app, opened once per process, and the frame of a page."""

import gc
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import timedelta
from functools import partial

import streamlit as st

from vibecheck.alerts import watch
from vibecheck.comet.sending_process import SendingProcess
from vibecheck.errors import RecordsError, VibeCheckError
from vibecheck.models.live_model import LiveModel
from vibecheck.models.registry import Registry
from vibecheck.models.shadow import ShadowModels
from vibecheck.music.recommender import Music
from vibecheck.records.db.circuit_breaker import CircuitBreaker
from vibecheck.records.deletion import retention
from vibecheck.records.store import Store
from vibecheck.training_runs.runs import TrainingRuns
from vibecheck.ui.access import gate
from vibecheck.ui.shared import comet_status, dialogs, model_status
from vibecheck.ui.shared.configuration import settings
from vibecheck.ui.shared.error_text import error_text
from vibecheck.ui.shared.home_screen import ICON
from vibecheck.ui.shared.process_state import ProcessValue
from vibecheck.ui.shared.server import LOGO, STYLE

_frozen: set[str] = set()


def start_page(title: str) -> None:
    """The first call of every page: draws its title and style, and opens the parts it needs.

    If the settings or the model cannot be used, the page says so and stops.
    """
    st.set_page_config(page_title=f"{title} · VibeCheck", page_icon=str(ICON), layout="wide")
    st.html(STYLE)  # again: Streamlit's own page, which answers at unknown paths, does not have it
    st.logo(LOGO, size="large")
    try:
        with nullcontext() if live_model.is_made else st.spinner("Loading the model…"):
            live_model()
        shadow_models()
        music()
    except VibeCheckError as error:
        st.error(error_text(error), icon="⚠️")
        st.stop()
    with st.sidebar:
        model_status.line(live_model())
        gate.greet()
    model_status.news(live_model())


def end_page(loaded: str = "app") -> None:
    """The last call of every page. `loaded` names the packages that it imports and others do not."""
    # Drawn at the end: a page that this session may not open reads no records, not even for this. The style
    # sheet puts it at the top: each run of the page would empty a placeholder there, and the page would jump.
    if synthetic():
        with st.container(key="synthetic"):
            st.info(
                "**Synthetic history:** these records were generated. Your own vibe checks are shown, but "
                "not recorded.",
                icon=":material/science:",
            )
    elif settings().sends:
        _sending().ensure()
        comet_status.draw(store)
    dialogs.improve()
    _freeze(loaded)


def _freeze(loaded: str) -> None:
    """Exclude everything loaded so far from garbage collection (`gc.freeze`), once for each `loaded`.

    Traversing everything that was ever imported takes 75 ms, during which video stands still, and
    none of it can be freed.
    """
    if loaded not in _frozen:
        _frozen.add(loaded)
        gc.collect()
        gc.freeze()


@ProcessValue
def live_model() -> LiveModel:
    """The model that runs now, opened once for all visitors. Raises VibeCheckError."""
    return LiveModel(settings()).follow()


@ProcessValue
def shadow_models() -> ShadowModels:
    """The shadow models, which read each vibe check to be compared. Raises VibeCheckError."""
    return ShadowModels(settings(), store, lambda: live_model().reader.classifier)


@ProcessValue
def music() -> Music:
    """The source of playlists. Raises VibeCheckError."""
    return Music.open(settings())


# The process that sends the records to Comet; it ends when this one does.
_sending = ProcessValue(SendingProcess)
_opening = ProcessValue(CircuitBreaker)


@ProcessValue
def store() -> Store:
    """The records. Raises RecordsError while they cannot be opened; tried again at each call."""
    asked = settings()
    return _opening().attempt(lambda: Store.open(asked.records_url, asked.images_url, asked.sends))


@ProcessValue
def registry() -> Registry:
    """The model versions. Raises RecordsError while the records cannot be opened."""
    return Registry.open(settings())


@ProcessValue
def runs() -> TrainingRuns:
    """The training runs. Raises RecordsError while the records cannot be opened."""
    return TrainingRuns.open(settings())


@partial(ProcessValue, max_age=60.0)
def synthetic() -> bool:
    """Whether the history is synthetic; checked once a minute, so that a slow database delays few pages."""
    try:
        return store().synthetic()
    except RecordsError:
        return False  # parts of the page that need the records report the problem


def start_background() -> None:
    """Delete expired records daily, send to Comet, and send alerts, whether or not anybody visits."""
    with suppress(VibeCheckError):  # the pages say what is wrong with the settings
        asked = settings()
        _in_background(retention.run, store, timedelta(days=asked.retention_days))
        if asked.alert_url is not None:
            _in_background(watch.run, store, asked)
        if asked.sends and not synthetic():
            _sending().ensure()


def _in_background(run: Callable[..., None], *args: object) -> None:
    """Start a thread that ends with the process; the event that could stop it is never set."""
    threading.Thread(target=run, args=(*args, threading.Event()), name=run.__module__, daemon=True).start()
