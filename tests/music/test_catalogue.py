"""The catalogue of playlists, and what the names of playlists say about their mood."""

import pytest

from vibecheck.emotions import NAMES
from vibecheck.errors import MusicError
from vibecheck.music.catalogue import CATALOGUE, moods_in, read_catalogue


def test_every_mood_has_three_different_playlists():
    catalogue = read_catalogue()
    assert set(catalogue) == set(NAMES)
    for about in catalogue.values():
        assert len({each.id for each in about.playlists}) == 3
        assert len({each.name for each in about.playlists}) == 3


def test_no_reason_is_used_twice():
    reasons = [line for about in read_catalogue().values() for line in (about.match, about.lift)]
    assert len(set(reasons)) == 14


def test_the_catalogue_is_read_once():
    assert read_catalogue() is read_catalogue()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[happy]", "[hapy]", "hapy"),
        ("37i9dQZF1DXdPec7aLTmlC", "37i9dQZF1DXdPec7aLTml", "happy.playlists.0.id"),
        ("37i9dQZF1DXdPec7aLTmlC", "37i9dQZF1DXdPec7aLTm_C", "happy.playlists.0.id"),
        ("37i9dQZF1DXdPec7aLTmlC", "37i9dQZF1DXdPec7aLTmlC\\n", "happy.playlists.0.id"),
        (
            "37i9dQZF1DXdPec7aLTmlC",
            "37i9dQZF1DX3rxVfibe1L0",
            "happy: Value error, playlists listed more than",
        ),
        ('name = "Happy Hits!"', 'name = ""', "happy.playlists.0.name"),
        ('search = ["happy vibes", "feel good songs", "good mood"]', "", "happy.search"),
        ('["happy vibes", "feel', '[7, "feel', "happy.search.0"),
        ('"feel good songs", "good mood"]', '"a b", "c d", "e f"]', "happy.search"),
        ('search = ["happy', 'loud = true\nsearch = ["happy', "happy.loud"),
        ('lift_to = "surprise"', 'lift_to = "bliss"', "happy.lift_to"),
        (
            'calm = "37i9dQZF1DWYBO1MoTDhZI"',
            'calm = "37i9dQZF1DX4sWSpwq3LiO"',
            "happy: Value error, calm is not",
        ),
        ("[happy]", "[[happy]]", "happy: Input should be"),
        ("[happy]", "[happy", "cannot be read"),
    ],
)
def test_a_broken_catalogue_names_the_file_and_the_entry(tmp_path, old, new, said):
    text = CATALOGUE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(MusicError) as caught:
        read_catalogue(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_a_mood_without_playlists_or_without_an_entry_is_named(tmp_path):
    text = CATALOGUE.read_text(encoding="utf-8")
    head, _, tail = text.partition("[surprise]")
    without = tmp_path / "without.toml"
    without.write_text(head, encoding="utf-8")
    with pytest.raises(MusicError, match="no entry for surprise"):
        read_catalogue(without)
    empty = tmp_path / "empty.toml"
    empty.write_text(
        head + "[surprise]" + tail.partition("playlists")[0] + "playlists = []", encoding="utf-8"
    )
    with pytest.raises(MusicError, match=r"surprise\.playlists"):
        read_catalogue(empty)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_catalogue_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "mine.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(MusicError, match=r"mine\.toml cannot be read"):
        read_catalogue(path)


@pytest.mark.parametrize(
    ("name", "moods"),
    [
        ("HAPPY hits", {"happy"}),
        ("feel-good_songs", {"happy"}),
        ("Lo-Fi 😴", {"neutral"}),
        ("not for the Unhappy", set()),
        ("songs 😭 to drive by", {"sad"}),
        ("Happy Sad Songs", {"happy", "sad"}),
        ("", set()),
    ],
)
def test_moods_are_recognised_in_playlist_names(name, moods):
    assert moods_in(name, read_catalogue()) == moods


def test_no_word_or_query_of_a_mood_speaks_of_another():
    catalogue = read_catalogue()
    for mood, music in catalogue.items():
        for line in (*music.words, *music.search):
            assert moods_in(line, catalogue) <= {mood}, line
