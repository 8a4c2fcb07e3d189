from hypothesis import given
from hypothesis import strategies as st

from vibecheck.ui.home.consent import CHOICES, parse


@given(st.none() | st.text() | st.sampled_from(list(CHOICES)))
def test_a_cookie_holds_a_choice_or_the_one_that_keeps_no_picture(text):
    assert parse(text) == (text if text in CHOICES else "numbers")


def test_the_first_choice_keeps_no_picture():
    assert list(CHOICES) == ["numbers", "face", "nothing"]
