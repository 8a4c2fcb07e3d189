import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from vibecheck.ui.shared import presses
from vibecheck.ui.shared.presses import once

HERE = Path(presses.__file__).parent


def test_repeated_button_press_runs_its_callback_once():
    done = []
    press = once(done.append)
    press(1)
    press(1)
    assert done == [1]
    once(done.append)(1)  # drawn again
    assert done == [1, 1]


def test_error_of_a_press_is_shown_as_a_toast():
    def press() -> None:
        import streamlit as st

        from vibecheck.errors import RecordsError
        from vibecheck.ui.shared.presses import once

        def fail() -> None:
            raise RecordsError("The records cannot be reached.")

        st.button("Press", on_click=once(fail))

    page = AppTest.from_function(press, default_timeout=60).run()
    page.button[0].click().run()
    assert not page.exception and page.toast[0].value == "The records cannot be reached."


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.stem)
def test_every_button_callback_is_wrapped_in_once(path):
    """Signing in and out are Streamlit's, and "ignore" runs nothing."""
    callbacks = re.findall(r"on_click=([\w.\"]+)", path.read_text(encoding="utf-8"))
    assert set(callbacks) <= {"once", '"ignore"', "st.login", "st.logout"}
