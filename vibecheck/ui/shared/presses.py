"""Callbacks of buttons that run once per press."""

from collections.abc import Callable
from typing import Any


def once(callback: Callable[..., None]) -> Callable[..., None]:
    """Wraps a button's `on_click` so that it runs at most once each time the button is drawn.

    Streamlit's frontend (1.67) sends a press a moment later, and again with the run of a fragment that is due
    in that moment: one press of "Undo" took back two labels. A second press before the page has answered
    counts as the same press, too.
    """
    done = False

    def press(*args: Any, **kwargs: Any) -> None:
        nonlocal done
        if not done:
            done = True
            callback(*args, **kwargs)

    return press
