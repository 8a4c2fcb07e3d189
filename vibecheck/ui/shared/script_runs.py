"""How Streamlit (1.67) runs the page of a session.

Once another run is requested, or the connection is lost, it ends a run where the page next draws something or
accesses `st.session_state`.
"""

import threading
from weakref import WeakKeyDictionary

from streamlit.runtime.fragment import FragmentStorage
from streamlit.runtime.scriptrunner import ScriptRunner, get_script_run_ctx


def one_at_a_time() -> None:
    """Begin a run only after the one before it has ended.

    Streamlit itself would begin one as soon as a page has connected again.
    """
    run = ScriptRunner._run_script_thread
    locks: WeakKeyDictionary[FragmentStorage, threading.Lock] = WeakKeyDictionary()  # by session

    def run_alone(self: ScriptRunner) -> None:
        with locks.setdefault(self._fragment_storage, threading.Lock()):
            run(self)

    ScriptRunner._run_script_thread = run_alone  # type: ignore[method-assign]


def finish_callbacks() -> None:
    """End no run before its callbacks are done: the browser sends a press once."""
    end_if_asked = ScriptRunner._maybe_handle_execution_control_request

    def end_the_page_if_asked(self: ScriptRunner) -> None:
        context = get_script_run_ctx(suppress_warning=True)
        if context is None or context.has_script_started:
            end_if_asked(self)

    ScriptRunner._maybe_handle_execution_control_request = end_the_page_if_asked  # type: ignore[method-assign]
