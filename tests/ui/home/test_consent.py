from hypothesis import given
from hypothesis import strategies as st

from vibecheck.ui.home.consent import CHOICES, parse


@given(st.none() | st.text() | st.sampled_from(list(CHOICES)))
def test_unknown_consent_cookie_means_keep_numbers_only(text):
    assert parse(text) == (text if text in CHOICES else "numbers")


def test_the_first_choice_keeps_no_picture():
    assert list(CHOICES) == ["numbers", "face", "nothing"]
