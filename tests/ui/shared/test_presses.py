import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.stem)
def test_every_button_callback_is_wrapped_in_once(path):
    """Signing in and out are Streamlit's, and "ignore" runs nothing."""
    callbacks = re.findall(r"on_click=([\w.\"]+)", path.read_text(encoding="utf-8"))
    assert set(callbacks) <= {"once", '"ignore"', "st.login", "st.logout"}
