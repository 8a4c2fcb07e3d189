"""A press of a button, done once."""

from collections.abc import Callable
from typing import Any


def once(callback: Callable[..., None]) -> Callable[..., None]:
    """For a button's `on_click`: what it does is done once for each time that the button is drawn.

    Streamlit's page (1.67) notes a press and sends it a moment later; where a fragment that runs by itself is
    due in that moment, the press is sent with that fragment's run, too: one press of "Undo" took back two
    labels. And whoever presses twice before the page has answered means one press.
    """
    done = False

    def press(*args: Any, **kwargs: Any) -> None:
        nonlocal done
        if not done:
            done = True
            callback(*args, **kwargs)

    return press
