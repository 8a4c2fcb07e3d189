"""The access link: what it opens, for how long, and what guessing costs."""

import threading
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vibecheck.access.link import (
    BURST,
    FREE_TRIES,
    LONGEST_WAIT,
    PASS_SECONDS,
    REFILL,
    AccessLink,
    Tries,
    check_token,
    same_token,
)

TOKEN = "a-token-for-the-tests"
NOW = 1_800_000_000.0


def test_a_token_is_drawn_anew_at_each_start_and_is_long_enough():
    tokens = {AccessLink().token for _ in range(20)}
    assert len(tokens) == 20
    for token in tokens:
        check_token(token)
        assert len(token) >= 43, "256 bits"


def test_the_right_token_gives_a_pass_that_is_honoured_for_a_day():
    link = AccessLink(TOKEN)
    given_pass, tries = link.try_token(TOKEN, Tries(2), NOW)
    assert tries == Tries()
    assert TOKEN not in given_pass
    assert link.honours(given_pass, NOW)
    assert link.honours(given_pass, NOW + PASS_SECONDS - 1)
    assert not link.honours(given_pass, NOW + PASS_SECONDS)


def test_a_pass_does_not_outlive_the_start_though_the_token_does():
    assert not AccessLink(TOKEN).honours(AccessLink(TOKEN).give_pass(NOW), NOW)


def test_a_pass_cannot_be_made_to_last():
    link = AccessLink(TOKEN)
    until, _, signature = link.give_pass(NOW).partition(".")
    assert not link.honours(f"{int(until) + 1}.{signature}", NOW)
    assert not link.honours(f"0{until}.{signature}", NOW)
    assert not link.honours(f"{until}.{signature.upper()}", NOW)


@given(st.one_of(st.text(), st.none(), st.integers(), st.binary(), st.from_regex(r"\d{1,13}\.[0-9a-f]{64}")))
@example("٣.".ljust(66, "0"))
def test_what_is_no_pass_opens_nothing(shown):
    assert not AccessLink(TOKEN).honours(shown, NOW)


@given(st.text())
@example("")
@example(TOKEN[:-1])
@example(TOKEN + "\0")
@example("\ud800")
@example(TOKEN.upper())
def test_only_the_token_itself_opens(offered):
    given_pass, tries = AccessLink(TOKEN).try_token(offered, Tries(), NOW)
    assert (given_pass is not None) == (offered == TOKEN)
    assert tries.wrong == (offered != TOKEN)


@given(st.text(), st.text())
def test_tokens_are_the_same_only_if_they_are(one, other):
    assert same_token(one, one)
    assert same_token(one, other) == (one == other)


@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("abcXYZ019-._~")))
def test_a_token_that_is_taken_can_stand_in_an_address(token):
    try:
        check_token(token)
    except ValueError as error:
        assert not token or token not in str(error) or len(token) < 3
    else:
        assert len(token) >= 16 and quote(token, safe="") == token


def test_after_some_wrong_tries_a_session_waits_twice_as_long_each_time():
    link, tries, now, waits = AccessLink(TOKEN), Tries(), NOW, []
    for _ in range(FREE_TRIES + 12):
        given_pass, tries = link.try_token("wrong", tries, now)
        assert given_pass is None
        waits.append(max(0.0, tries.not_before - now))
        now = max(now, tries.not_before) + 60
    assert waits[:FREE_TRIES] == [0.0] * FREE_TRIES
    assert waits[FREE_TRIES : FREE_TRIES + 4] == [2, 4, 8, 16]
    assert waits[-1] == LONGEST_WAIT


def test_while_a_session_waits_not_even_the_right_token_is_looked_at():
    link = AccessLink(TOKEN)
    waiting = Tries(5, NOW + 4)
    assert link.try_token(TOKEN, waiting, NOW + 3.9) == (None, waiting)
    assert link.try_token(TOKEN, waiting, NOW + 4)[0] is not None


def test_guessing_in_many_sessions_is_slowed_for_all_of_them_together():
    link = AccessLink(TOKEN)
    looked_at = sum(link.try_token("wrong", Tries(), NOW + i / 100)[1].wrong for i in range(6000))
    assert BURST <= looked_at <= BURST + 60 * REFILL + 1


def test_while_all_wait_the_right_token_waits_too_but_not_long():
    link = AccessLink(TOKEN)
    for _ in range(BURST):
        link.try_token("wrong", Tries(), NOW)
    given_pass, tries = link.try_token(TOKEN, Tries(), NOW)
    assert given_pass is None and 0 < tries.not_before - NOW <= 1 / REFILL
    assert link.try_token(TOKEN, tries, tries.not_before)[0] is not None


def test_the_slow_down_wears_off_and_touches_no_pass():
    link = AccessLink(TOKEN)
    held = link.give_pass(NOW)
    for _ in range(BURST + 5):
        link.try_token("wrong", Tries(), NOW)
    assert link.honours(held, NOW)
    assert link.try_token(TOKEN, Tries(), NOW + 10)[0] is not None


def test_a_clock_that_goes_back_does_not_stop_it():
    link = AccessLink(TOKEN)
    link.try_token("wrong", Tries(), NOW)
    assert link.try_token(TOKEN, Tries(), NOW - 3600)[0] is not None


def test_many_threads_get_no_more_tries_than_one():
    link, looked_at, start = AccessLink(TOKEN), [], threading.Barrier(8)

    def guess() -> None:
        start.wait()
        looked_at.append(sum(link.try_token("wrong", Tries(), NOW)[1].wrong for _ in range(50)))

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(looked_at) == BURST


@pytest.mark.parametrize(
    ("token", "words"), [("short", "16 characters"), ("with a space in it", "letters, digits"), ("", "16")]
)
def test_a_token_that_cannot_be_used_is_refused_without_being_shown(token, words):
    with pytest.raises(ValueError, match=words) as caught:
        check_token(token)
    assert not token or token not in str(caught.value)
