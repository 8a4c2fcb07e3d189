"""How long a server asks to be left alone: in seconds, or until a date."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibecheck.errors import LONGEST_RETRY_AFTER, parse_retry_after

# Dates, numbers, and what is nearly one.
PARTS = st.sampled_from(
    [*"0123456789 ,:+-.", "Fri", "Dec", "31", "2027", "23:59:59", "GMT", "e", "nan", "inf"]
)


@given(st.text() | st.lists(PARTS, max_size=14).map("".join) | st.lists(PARTS, max_size=14).map(" ".join))
def test_retry_after_of_any_text_is_a_bounded_wait_or_none(header):
    wait = parse_retry_after(header)
    assert wait is None or 0 <= wait <= LONGEST_RETRY_AFTER


@given(st.integers(0, 10**400))
def test_retry_after_in_seconds_is_capped(seconds):
    assert parse_retry_after(str(seconds)) == min(seconds, LONGEST_RETRY_AFTER)


@given(st.integers(-(10**9), 10**9))
def test_retry_after_as_a_date_is_the_time_until_then(ahead):
    now = datetime.now(UTC)
    wait = parse_retry_after(format_datetime(now + timedelta(seconds=ahead), usegmt=True))
    if ahead < 0:
        assert wait is None
    elif ahead > 30:
        assert min(ahead, LONGEST_RETRY_AFTER) - 30 <= wait <= min(ahead, LONGEST_RETRY_AFTER)


@pytest.mark.parametrize(
    ("header", "wait"), [("0.5", 0.5), (" 7 ", 7), ("-5", None), ("nan", None), ("", None)]
)
def test_retry_after_is_parsed_or_ignored(header, wait):
    assert parse_retry_after(header) == wait
