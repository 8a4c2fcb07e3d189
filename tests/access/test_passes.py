"""The access link's token and the passes given for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibecheck.access.passes import (
    FREE_TRIES,
    MOST_ADDRESSES,
    MOST_PASSES,
    PASS_SECONDS,
    TRY_EVERY,
    Passes,
    WrongTries,
    check_token,
)

TOKEN = "a-token-of-32-characters-or-more"
NOW = 1_800_000_000.0


def test_each_process_draws_its_own_token_of_at_least_256_bits():
    tokens = {Passes().token for _ in range(20)}
    assert len(tokens) == 20
    for token in tokens:
        check_token(token)
        assert len(token) >= 43


def test_token_is_traded_for_a_pass_that_is_valid_for_a_day():
    passes = Passes(TOKEN)
    given_pass = passes.exchange(TOKEN, NOW)
    assert TOKEN not in given_pass
    assert passes.valid(given_pass, NOW) and passes.valid(given_pass, NOW + PASS_SECONDS - 1)
    assert not passes.valid(given_pass, NOW + PASS_SECONDS)
    assert passes.exchange(TOKEN, NOW) != given_pass


def test_pass_is_invalid_in_another_process_with_the_same_token():
    assert not Passes(TOKEN).valid(Passes(TOKEN).exchange(TOKEN, NOW), NOW)


def test_revoking_a_pass_leaves_the_others_valid():
    passes = Passes(TOKEN)
    first, second = passes.exchange(TOKEN, NOW), passes.exchange(TOKEN, NOW)
    passes.revoke(first)
    passes.revoke("not a pass")
    passes.revoke(None)
    assert not passes.valid(first, NOW) and passes.valid(second, NOW)


def test_revoking_all_passes_also_replaces_a_drawn_token():
    passes = Passes()
    old, given_pass = passes.token, passes.exchange(passes.token, NOW)
    assert passes.revoke_all()
    assert not passes.valid(given_pass, NOW)
    assert passes.exchange(old, NOW) is None and passes.exchange(passes.token, NOW)
    chosen = Passes(TOKEN)
    assert not chosen.revoke_all()
    assert chosen.exchange(TOKEN, NOW)


def test_number_of_passes_is_limited_and_the_oldest_expire_first():
    passes = Passes(TOKEN)
    given_passes = [passes.exchange(TOKEN, NOW) for _ in range(MOST_PASSES + 2)]
    assert [passes.valid(each, NOW) for each in given_passes[:3]] == [False, False, True]
    later = passes.exchange(TOKEN, NOW + PASS_SECONDS)
    assert passes.valid(later, NOW + PASS_SECONDS) and len(passes._expiry) == 1


@given(st.one_of(st.text(), st.none()))
def test_arbitrary_text_is_accepted_neither_as_a_pass_nor_as_the_token(shown):
    passes = Passes(TOKEN)
    passes.exchange(TOKEN, NOW)
    assert not passes.valid(shown, NOW)
    assert shown is None or passes.exchange(shown, NOW) is None


def test_the_right_token_is_never_slowed_down():
    passes = Passes(TOKEN)
    for guess in range(1000):
        assert passes.exchange(f"{guess}", NOW) is None
    assert passes.exchange(TOKEN, NOW)


def test_wrong_links_are_slowed_down_per_address():
    tries = WrongTries()
    waits = [tries.wait("1.2.3.4", NOW) for _ in range(FREE_TRIES + 3)]
    assert waits == [0.0] * FREE_TRIES + [TRY_EVERY, 2 * TRY_EVERY, 2 * TRY_EVERY]
    assert tries.wait("1.2.3.4", NOW) > 0
    assert tries.wait("5.6.7.8", NOW) == 0
    assert tries.wait("1.2.3.4", NOW + (FREE_TRIES + 2) * TRY_EVERY) == 0


def test_number_of_remembered_addresses_is_bounded():
    tries = WrongTries()
    for number in range(MOST_ADDRESSES + 5):
        tries.wait(f"{number}", NOW)
    assert len(tries._busy_until) == MOST_ADDRESSES


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("x" * 31, "32 characters"),
        ("with a space in it, and long enough", "letters, digits"),
        ("ä" * 40, "letters"),
    ],
)
def test_token_that_is_too_short_or_invalid_in_a_url_is_refused(token, said):
    with pytest.raises(ValueError, match=said):
        check_token(token)


@given(st.text(min_size=1), st.text())
def test_only_the_token_itself_is_traded_for_a_pass(token, offered):
    passes = Passes(token)
    assert passes.exchange(token, NOW)
    assert (passes.exchange(offered, NOW) is not None) == (offered == token)
