"""Parsing what Spotify answers, and cleaning what strangers write in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.standins import spotify as standin
from tests.standins.spotify import item, key_of
from vibecheck.music.spotify import clean_text, parse_search, spotify_client


def test_spotify_requests_time_out_after_five_seconds():
    client = spotify_client("an-app", "its-secret")
    assert client.requests_timeout == 5
    assert client.auth_manager.requests_timeout == 5
    client._session.close()


def test_playlists_beyond_the_requested_number_are_dropped():
    answer = standin.page(*(item(key_of("sad", number), "Sad") for number in range(12))).body
    assert [each.id for each in parse_search(answer, "sad")] == [
        key_of("sad", number) for number in range(10)
    ]


@pytest.mark.parametrize(
    ("changes", "usable"),
    [
        ({}, True),
        ({"tracks": {"total": 15}}, True),
        ({"tracks": {"total": 500}}, True),
        ({"tracks": {"total": 14}}, False),
        ({"tracks": {"total": 501}}, False),
        ({"tracks": None, "items": {"total": 3}}, False),  # the name since March 2026
        ({"tracks": None, "items": {"total": 42}}, True),
        ({"tracks": None}, True),  # not told
        ({"images": []}, False),
        ({"images": None}, False),
    ],
)
def test_playlists_too_short_too_long_or_without_a_picture_are_left_out(changes, usable):
    answer = standin.page(item("A" * 22, "Sad", **changes)).body
    assert bool(parse_search(answer, "sad")) is usable


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  Sad\tSongs ", "Sad Songs"),
        ("Rock &amp; Roll", "Rock & Roll"),
        ("<b>Loud</b>", "Loud"),
        ("&lt;img src=x onerror=alert(1)&gt;Hi", "Hi"),
        ("a < b > c", "a ‹ b › c"),
        ("<3 songs", "‹3 songs"),
        ("cut <script", "cut ‹script"),
        ("\u202egnp.exe\u200b", "gnp.exe"),
        ("👩‍🎤 pop", "👩‍🎤 pop"),
        ("\ud800", ""),
        ("\u200d \u200c", ""),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
    ],
)
def test_playlist_names_are_cleaned(text, clean):
    assert clean_text(text) == clean


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES_OF_STRANGERS = st.text(
    alphabet=st.characters(codec=None) | st.sampled_from("<>&;\u202e\n"), max_size=120
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON | st.from_regex(r"\A[0-9A-Za-z_/\n]{20,24}\Z") | st.from_regex(r"\A[0-9A-Za-z]{22}\Z"),
        "name": JSON | NAMES_OF_STRANGERS,
        "images": JSON,
        "tracks": JSON | st.fixed_dictionaries({"total": JSON}),
    },
)
ANSWERS = JSON | st.fixed_dictionaries(
    {"playlists": JSON | st.fixed_dictionaries({"items": st.lists(JSON | ITEMS)})}
)


@given(ANSWERS)
def test_any_search_answer_is_parsed_into_valid_playlists(answer):
    found = parse_search(answer, "sad")
    assert len(found) <= 10
    assert len({playlist.id for playlist in found}) == len(found)
    for playlist in found:
        assert len(playlist.id) == 22
        assert playlist.id.isascii()
        assert playlist.id.isalnum()
        assert 0 < len(playlist.name) <= 80
        assert playlist.name.encode().decode() == playlist.name.strip()
        assert not set(playlist.name) & set("<>\n\r\t\x00\x1b\u202e\u2028")
        assert (playlist.mood, playlist.found_by) == ("sad", "search")
