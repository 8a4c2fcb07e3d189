import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibecheck.ui.shared import cookies


@given(st.text(), st.text())
def test_cookie_script_accepts_only_letters_digits_and_underscores(name, value):
    plain = all(part and part.isascii() and part.replace("_", "a").isalnum() for part in (name, value))
    if plain:
        assert f"{name}={value};" in cookies.script(name, value)
    else:
        with pytest.raises(ValueError, match="letters, digits"):
            cookies.script(name, value)
