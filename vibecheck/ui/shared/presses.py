"""What a press does, once per press, although Streamlit may run the page again meanwhile."""

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from vibecheck.errors import ModelError, RecordsError


def once(callback: Callable[..., object]) -> Callable[..., None]:
    """Wraps a button's `on_click` so that it runs at most once each time the button is drawn.

    An error of the records or the models is shown as a toast.

    Streamlit's frontend (1.67) sends a press a moment later, and again with the run of a fragment that is due
    in that moment: one press of "Undo" took back two labels. A second press before the page has answered
    counts as the same press, too.
    """
    done = False

    def press(*args: Any, **kwargs: Any) -> None:
        nonlocal done
        if not done:
            done = True
            try:
                callback(*args, **kwargs)
            except (ModelError, RecordsError) as error:
                st.toast(str(error), icon="⚠️")

    return press


def remember(**values: Any) -> None:
    """Set these values of the session, even if this run of the page is to end.

    When another run is requested, or the connection is lost, Streamlit ends a run where it next accesses
    `st.session_state`: the result of a press, whose record is already on disk, would never be shown.
    """
    context = get_script_run_ctx()
    assert context is not None
    state = context.session_state
    with state._lock:  # there is no public access without an interruption
        for key, value in values.items():
            state._state[key] = value
