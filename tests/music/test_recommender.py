"""The recommender with the catalogue, and with real spotipy against a local Spotify that may misbehave."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.standins import spotify as standin
from tests.standins.spotify import Answer, SpotifyStandin, error, item, key_of
from tests.waiting import wait_for
from vibecheck.emotions import NAMES
from vibecheck.errors import MusicError
from vibecheck.music import recommender
from vibecheck.music.catalogue import read_catalogue
from vibecheck.music.recommender import (
    ALL_HEARD,
    CALM,
    NEARBY,
    NOT_SEARCHED,
    NOTHING_FOUND,
    Music,
    Suggestion,
)
from vibecheck.music.spotify import CREDENTIALS, Playlist, spotify_client
from vibecheck.settings import Settings

TIMEOUT = 0.3  # seconds after which a visitor or a request gives up here, where the product takes five
SOON = 5.0  # seconds that a busy machine takes at most for what waits for nothing
LONG = 60.0  # seconds: a wait that a test notices


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_music(clock: Clock) -> Iterator[Callable[..., Music]]:
    """Makes music with one query a mood, so that tests can count searches."""
    opened = []
    one_query = {
        mood: music.model_copy(update={"search": music.search[:1]})
        for mood, music in read_catalogue().items()
    }

    def open_music(client: object, **options: float) -> Music:
        opened.append(Music(one_query, client, **{"patience": LONG, "clock": clock} | options))
        return opened[-1]

    yield open_music
    for music in opened:
        wait_for(lambda music=music: at_rest(music))
        music.close()


@pytest.fixture
def spotify(open_music: Callable[..., Music]) -> Iterator[SpotifyStandin]:
    """Closed before the music, so that no search hangs."""
    with SpotifyStandin() as server:
        yield server


@pytest.fixture
def player(spotify: SpotifyStandin, open_music: Callable[..., Music]) -> Music:
    """Music that searches the stand-in; it waits longer than the requests, so that these are what fails."""
    return open_music(spotify.client())


def settings(key: str | None, secret: str | None) -> Settings:
    return Settings(_env_file=None, spotify_client_id=key, spotify_client_secret=secret)


def at_rest(music: Music) -> bool:
    """No search is under way."""
    return not music._running


def seconds(call: Callable[[], object]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


# --- without credentials -------------------------------------------------------------------------


@pytest.mark.parametrize("mood", NAMES)
@pytest.mark.parametrize("mode", ["match", "lift"])
def test_a_reason_names_the_mood_and_the_mode(mood, mode):
    reason = Music(read_catalogue()).suggest(mood, mode).reason
    assert mood in reason
    assert mode in reason
    assert reason.endswith(".")


@pytest.mark.parametrize(
    ("mood", "plays"),
    [
        ("angry", "neutral"),
        ("disgust", "happy"),
        ("fear", "happy"),
        ("happy", "surprise"),
        ("neutral", "happy"),
        ("sad", "happy"),
        ("surprise", "happy"),
    ],
)
def test_lifting_plays_the_music_of_another_mood(mood, plays):
    suggestion = Music(read_catalogue()).suggest(mood, "lift")
    assert suggestion.mode == "lift"
    assert suggestion.playlist.mood == plays
    assert suggestion.playlist.id == read_catalogue()[plays].playlists[0].id
    assert suggestion.reason == read_catalogue()[mood].lift


@pytest.mark.parametrize("mood", NAMES)
def test_a_mood_that_is_hard_to_tell_is_matched_by_its_calmest_playlist(mood):
    music, about = Music(read_catalogue()), read_catalogue()[mood]
    first = music.suggest(mood, clear=False)
    assert (first.playlist.id, first.reason) == (about.calm, CALM)
    rest = music.suggest(mood, played=[about.calm], clear=False)
    assert rest == music.suggest(mood, played=[about.calm])
    assert music.suggest(mood, "lift", clear=False) == music.suggest(mood, "lift")


def test_a_playlist_can_be_embedded_and_opened():
    playlist = Music(read_catalogue()).suggest("happy").playlist
    assert playlist.name == "Happy Hits!"
    assert playlist.found_by == "catalogue"
    assert playlist.url == "https://open.spotify.com/playlist/37i9dQZF1DXdPec7aLTmlC"
    assert playlist.embed_url == (
        "https://open.spotify.com/embed/playlist/37i9dQZF1DXdPec7aLTmlC?utm_source=generator&theme=0"
    )


def test_missing_credentials_play_the_catalogue_without_a_note():
    suggestion = Music.open(settings(None, None)).suggest("sad")
    assert suggestion.playlist.id == "37i9dQZF1DX7qK8ma5wgG1"
    assert suggestion.note == ""
    assert "SPOTIPY_CLIENT_ID and SPOTIPY_CLIENT_SECRET" in Music.open(settings(None, None)).check()


@pytest.mark.parametrize(
    ("key", "secret", "missing"),
    [
        ("an-app", None, "SPOTIPY_CLIENT_SECRET"),
        ("an-app", "  ", "SPOTIPY_CLIENT_SECRET"),
        (None, "its-secret", "SPOTIPY_CLIENT_ID"),
    ],
)
def test_half_of_the_credentials_plays_the_catalogue_and_check_names_the_other_half(key, secret, missing):
    player = Music.open(settings(key, secret))
    assert player.suggest("happy").playlist.found_by == "catalogue"
    with pytest.raises(MusicError, match=f"^{missing} is not set"):
        player.check()


@pytest.mark.parametrize(("mood", "mode"), [("bliss", "match"), ("happy", "calm")])
def test_unknown_mood_or_mode_is_refused(mood, mode):
    with pytest.raises(MusicError, match=f"no music to {mode} {mood}"):
        Music(read_catalogue()).suggest(mood, mode)


MORE = {
    "match": "You have heard every playlist for this mood. “Lift my mood” has more.",
    "lift": "You have heard every playlist for this mood. “Match my mood” has more.",
}


@pytest.mark.parametrize("mood", NAMES)
@pytest.mark.parametrize("mode", ["match", "lift"])
def test_no_playlist_repeats_until_all_were_played(mood, mode):
    player, played, notes = Music(read_catalogue()), [], []
    for _ in range(9):
        suggestion = player.suggest(mood, mode, played)
        played.append(suggestion.playlist.id)
        notes.append(suggestion.note)
    new = len(set(played))
    assert new >= 5  # three of its own, and those of the mood near it
    assert len(set(played[:new])) == new and set(played[new:]) == {played[new - 1]}
    # Matching and lifting a happy or surprised mood play the same music.
    last = ALL_HEARD if mood in ("happy", "surprise") else MORE[mode]
    assert notes == [""] * 3 + [NEARBY] * (new - 3) + [last] * (9 - new)


def test_the_other_mode_is_recommended_only_while_it_has_more():
    player, played = Music(read_catalogue()), []

    def last_note(mode: str) -> str:
        while (suggestion := player.suggest("sad", mode, played)).playlist.id not in played:
            played.append(suggestion.playlist.id)
        return suggestion.note

    assert [last_note(mode) for mode in ("match", "lift", "match")] == [MORE["match"], ALL_HEARD, ALL_HEARD]


def test_playlists_played_for_other_moods_do_not_change_the_order():
    player = Music(read_catalogue())
    first, second, third = (each.id for each in read_catalogue()["happy"].playlists)
    assert player.suggest("happy", played=["of another mood", first]).playlist.id == second
    assert player.suggest("happy", played=[first, "of another mood", second]).playlist.id == third


def test_spotipy_is_not_imported_without_credentials(tmp_path):
    code = (
        "import sys; from vibecheck.music.recommender import Music; from vibecheck.settings import Settings;"
        "Music.open(Settings.load()).suggest('happy'); sys.exit('spotipy' in sys.modules)"
    )
    clean = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
    environment = clean | {"PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


# --- with Spotify --------------------------------------------------------------------------------


def test_spotify_is_searched_for_ten_playlists_of_the_mood(spotify, player):
    suggestion = player.suggest("happy")
    assert suggestion.playlist == Playlist(key_of("happy vibes", 0), "happy vibes no. 0", "happy", "search")
    assert suggestion.note == ""
    assert suggestion.reason == read_catalogue()["happy"].match
    (query,) = spotify.searches
    assert (query["q"], query["type"], query["limit"]) == ("happy vibes", "playlist", "10")


def test_lifting_searches_for_the_mood_it_lifts_to(spotify, player):
    suggestion = player.suggest("sad", "lift")
    assert suggestion.playlist.mood == "happy"
    assert suggestion.reason == read_catalogue()["sad"].lift
    assert [query["q"] for query in spotify.searches] == ["happy vibes"]


def all_of(player: Music, mood: str) -> list[Playlist]:
    """What "another one" brings for a mood until nothing new comes, without that of the mood near it."""
    given: list[Playlist] = []
    while not (suggestion := player.suggest(mood, played=[each.id for each in given])).note:
        given.append(suggestion.playlist)
    return given


def test_found_playlists_are_mixed_with_the_catalogue(player):
    given = all_of(player, "sad")
    assert [each.found_by for each in given] == ["search", "catalogue", *["search"] * 7, *["catalogue"] * 2]
    assert [each.id for each in given if each.found_by == "catalogue"] == [
        each.id for each in read_catalogue()["sad"].playlists
    ]


def test_found_playlists_follow_the_calmest_if_the_mood_is_hard_to_tell(player):
    assert player.suggest("sad", clear=False).playlist.id == read_catalogue()["sad"].calm
    assert player.suggest("sad").playlist.found_by == "search"


def test_names_that_suit_the_mood_come_first_and_contradicting_names_are_dropped(spotify, player):
    names = "Monday", "Happy Monday", "Sad Monday", "Happy but sad", "Party", "Happy Party", "Road 😀"
    spotify.search_answer = standin.page(*(item(key_of("n", i), name) for i, name in enumerate(names)))
    found = [each.name for each in all_of(player, "happy") if each.found_by == "search"]
    assert found == ["Happy Monday", "Happy Party", "Road 😀", "Monday"]


def test_catalogue_comes_first_if_no_found_name_suits_the_mood(spotify, player):
    spotify.search_answer = standin.page(item("A" * 22, "Monday"), item("B" * 22, "Tuesday"))
    assert [each.found_by for each in all_of(player, "happy")] == ["catalogue", "search", "search"] + [
        "catalogue"
    ] * 2


def test_each_query_of_a_mood_is_searched_and_no_playlist_comes_twice(spotify, clock):
    player = Music(read_catalogue(), spotify.client(), patience=60, clock=clock)
    queries = read_catalogue()["happy"].search
    spotify.answers[queries[1]] = standin.page(
        item(key_of(queries[0], 0), "Found before"), item("A" * 22, "Good mood")
    )
    given = all_of(player, "happy")
    assert [query["q"] for query in spotify.searches] == list(queries)
    assert len({each.id for each in given}) == len(given) == 3 + 8 + 1 + 8
    player.close()


def test_results_of_earlier_queries_are_used_when_a_later_one_fails(spotify, clock):
    player = Music(read_catalogue(), spotify.client(), patience=60, clock=clock)
    spotify.answers[read_catalogue()["happy"].search[1]] = standin.QUOTA_EXCEEDED
    assert player.suggest("happy").playlist.found_by == "search"
    assert player.suggest("sad").note == NOT_SEARCHED  # and Spotify is left alone
    assert len(spotify.searches) == 2
    with pytest.raises(MusicError, match="429"):
        player.check()
    player.close()


def test_catalogue_playlist_that_is_also_found_is_offered_once(spotify, player):
    own = read_catalogue()["sad"].playlists[1].id
    spotify.search_answer = standin.page(item(own, "Found"))
    played = []
    for _ in range(3):
        played.append(player.suggest("sad", played=[each.id for each in played]).playlist)
    assert (own, "Found", "search") in [(each.id, each.name, each.found_by) for each in played]
    assert len({each.id for each in played}) == 3


def test_one_token_serves_all_moods_and_is_not_left_in_a_file(spotify, player, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for mood in NAMES:
        assert player.suggest(mood).playlist.found_by == "search"
    assert spotify.token_requests == 1
    assert list(tmp_path.iterdir()) == []


def test_search_results_are_cached_for_an_hour(spotify, player, clock):
    player.suggest("happy")
    clock.now += 3599
    player.suggest("happy")
    assert len(spotify.searches) == 1
    clock.now += 1
    assert player.suggest("happy").playlist.found_by == "search"
    assert len(spotify.searches) == 2


def test_the_check_says_that_spotify_answers(player):
    assert player.check() == "Spotify answers: 8 playlists for a happy mood."


def test_open_uses_both_credentials_without_stray_spaces(spotify, monkeypatch):
    def led_here(*given: str):
        client = spotify_client(*given)
        spotify.lead_here(client)
        return client

    monkeypatch.setattr(recommender, "spotify_client", led_here)
    opened = Music.open(settings(" an-app\n", " its-secret\n"))
    assert opened.suggest("happy").playlist.found_by == "search"


# --- Spotify in trouble --------------------------------------------------------------------------

SIGN_IN_TROUBLES = {
    "credentials refused": (standin.INVALID_CLIENT, "400, invalid_client, Invalid client. Compare both"),
    "broken": (standin.BROKEN, "500, Server error.. Try again later"),
    "a page of a proxy": (standin.UNAVAILABLE_PAGE, "503, 503 Service Unavailable. Try"),
    "a JSON string": (standin.JSON_STRING, '429, "Too many requests". The developer account\'s quota'),
    "garbage": (standin.GARBAGE, "JSONDecodeError"),
    "hangs": (standin.HANG, "ReadTimeout"),
    "a token without its fields": (Answer({"token_type": "Bearer"}), "KeyError"),
    "a token that is a list": (Answer([]), "TypeError"),
    "a token that is a string": (Answer("token"), "TypeError"),
    "a lifetime that is text": (Answer({"access_token": "a-token", "expires_in": "soon"}), "TypeError"),
}
SEARCH_TROUBLES = {
    "a token with a line break": (
        "token",
        Answer({"access_token": "a\ntoken", "expires_in": 3600}),
        "not a JSON object",  # spotipy takes requests' InvalidHeader for it
    ),
    "quota": (
        "search",
        standin.QUOTA_EXCEEDED,
        "429, API rate limit exceeded, QUOTA_EXCEEDED. The developer",
    ),
    "premium": ("search", standin.PREMIUM_REQUIRED, "403, Active premium subscription required"),
    "not this search": ("search", standin.INVALID_LIMIT, "400, Invalid limit. The credentials are accepted"),
    "token expired": (
        "search",
        standin.TOKEN_EXPIRED,
        "401, The access token expired. The next search signs",
    ),
    "not found": ("search", standin.NOT_FOUND, "404, Resource not found. Try again later"),
    "broken": ("search", standin.BROKEN, "500, Server error."),
    "a page of a proxy": ("search", standin.UNAVAILABLE_PAGE, "503, 503 Service Unavailable"),
    "a JSON string": ("search", standin.JSON_STRING, '429, "Too many requests"'),
    "an error that is a string": ("search", standin.JSON_STRING_ERROR, "500, server_error"),
    "garbage": ("search", standin.GARBAGE, "not a JSON object"),
    "a list": ("search", Answer([]), "not a JSON object"),
    "JSON too deep": ("search", standin.TOO_DEEP, "RecursionError"),
    "cut short": ("search", standin.CUT_SHORT, "ChunkedEncodingError"),
    "hangs": ("search", standin.HANG, "ReadTimeout"),
}
TROUBLES = [
    *(("token", answer, "signing in", said) for answer, said in SIGN_IN_TROUBLES.values()),
    *(
        (where, answer, "searching for “happy vibes”", said)
        for where, answer, said in SEARCH_TROUBLES.values()
    ),
]


@pytest.mark.parametrize(
    ("where", "answer", "step", "said"),
    TROUBLES,
    ids=[
        *(f"signing in: {name}" for name in SIGN_IN_TROUBLES),
        *(f"search: {name}" for name in SEARCH_TROUBLES),
    ],
)
def test_spotify_failure_falls_back_to_the_catalogue_and_check_says_what_to_do(
    spotify, open_music, where, answer, step, said
):
    player = open_music(spotify.client(TIMEOUT) if answer.hang else spotify.client())
    setattr(spotify, f"{where}_answer", answer)
    assert seconds(lambda: player.suggest("happy")) < SOON
    requests = spotify.token_requests, len(spotify.searches)
    for mood in NAMES:
        suggestion = player.suggest(mood)
        assert suggestion.note == NOT_SEARCHED
        assert suggestion.playlist.id == read_catalogue()[mood].playlists[0].id
    with pytest.raises(MusicError) as caught:
        player.check()
    assert f"Spotify (SPOTIPY_CLIENT_ID, SPOTIPY_CLIENT_SECRET) failed while {step}: " in str(caught.value)
    assert said in str(caught.value)
    assert standin.CLIENT_SECRET not in str(caught.value)
    assert (spotify.token_requests, len(spotify.searches)) == requests


def test_wrong_credentials_are_refused(spotify, open_music):
    player = open_music(spotify.client(client_secret="wrong"))
    note = player.suggest("happy").note
    assert note == NOT_SEARCHED and "did not answer" not in note, "it answered with a refusal"
    with pytest.raises(MusicError, match="signing in: 400, invalid_client"):
        player.check()


def test_credentials_that_no_header_can_carry_are_named(spotify, open_music):
    player = open_music(spotify.client(client_secret="a–dash"))
    assert player.suggest("happy").note == NOT_SEARCHED
    with pytest.raises(
        MusicError, match=r"SPOTIPY_CLIENT_SECRET\) failed while signing in: UnicodeEncodeError"
    ):
        player.check()


def test_catalogue_is_used_without_a_network(open_music):
    with SpotifyStandin() as gone:
        client = gone.client()
    player = open_music(client)
    assert player.suggest("happy").note == NOT_SEARCHED
    with pytest.raises(MusicError, match=r"ConnectionError.*Check this machine's network"):
        player.check()


@pytest.mark.parametrize(
    ("where", "answer", "pause"),
    [
        ("search", standin.BROKEN, 60),
        ("search", standin.QUOTA_EXCEEDED, 3600),
        ("search", standin.JSON_STRING, 600),
        ("search", standin.UNAVAILABLE_PAGE, 120),
        ("token", standin.UNAVAILABLE_PAGE, 120),
        ("search", error(429, "API rate limit exceeded", retry_after="86400"), 3600),
        ("search", error(429, "API rate limit exceeded", retry_after="9" * 5000), 3600),
        ("search", error(429, "API rate limit exceeded", retry_after="soon"), 60),
        ("search", error(429, "API rate limit exceeded", retry_after="-5"), 60),
        ("search", error(429, "API rate limit exceeded", retry_after="0"), 1),
    ],
)
def test_failed_spotify_is_not_asked_again_before_the_requested_pause(
    spotify, player, clock, where, answer, pause
):
    setattr(spotify, f"{where}_answer", answer)
    player.suggest("happy")
    spotify.token_answer = spotify.search_answer = None
    before = len(spotify.searches)
    clock.now += pause - 0.5
    assert player.suggest("happy").note == NOT_SEARCHED
    assert player.suggest("sad").note == NOT_SEARCHED
    wait_for(lambda: at_rest(player))
    assert len(spotify.searches) == before
    clock.now += 0.5
    player.suggest("happy")
    wait_for(lambda: at_rest(player))
    assert len(spotify.searches) == before + 1
    assert player.suggest("happy").playlist.found_by == "search"
    assert player.check().startswith("Spotify answers")


def test_no_visitor_waits_again_during_an_outage(spotify, clock, open_music, monkeypatch):
    player, answers = open_music(spotify.client(), patience=TIMEOUT), threading.Event()
    spotify.search_answer = Answer(standin.BROKEN.body, 500, after=answers)
    assert seconds(lambda: player.suggest("happy")) >= TIMEOUT - 0.05
    monkeypatch.setattr(player, "_patience", LONG)
    for _ in range(2):
        clock.now += 61
        assert seconds(lambda: [player.suggest(mood) for mood in NAMES]) < SOON
        answers.set()
        wait_for(lambda: at_rest(player))
        answers.clear()
    assert len(spotify.searches) > 2  # it was tried again, with nobody waiting for it


def test_when_spotify_is_back_its_search_is_used_again(spotify, player, clock):
    spotify.search_answer = standin.BROKEN
    player.suggest("happy")
    spotify.search_answer = None
    clock.now += 60
    assert player.suggest("happy").note == NOT_SEARCHED  # nobody waits to see whether it is back
    wait_for(lambda: at_rest(player))
    assert player.suggest("happy").playlist.found_by == "search"
    assert player.suggest("sad").playlist.found_by == "search"


def test_check_asks_spotify_even_if_results_are_cached(spotify, player):
    player.check()
    spotify.search_answer = standin.PREMIUM_REQUIRED
    with pytest.raises(MusicError, match="403"):
        player.check()
    assert player.suggest("happy").playlist.found_by == "search"  # what is known stays in use


def test_check_asks_spotify_even_after_a_recent_failure(spotify, player, clock):
    spotify.search_answer = standin.BROKEN
    player.suggest("happy")
    spotify.search_answer = None
    clock.now += 60
    assert player.check().startswith("Spotify answers")


def test_retry_after_pause_survives_the_outcome_of_other_searches(spotify, player, clock):
    answers = threading.Event()
    spotify.answers["happy vibes"] = Answer(standin.page(item("H" * 22, "Happy late")).body, after=answers)
    spotify.answers["lo-fi beats"] = Answer(standin.BROKEN.body, 500, after=answers)
    spotify.answers["sad songs"] = standin.QUOTA_EXCEEDED
    with ThreadPoolExecutor(2) as pool:
        late, broken = (pool.submit(player.suggest, mood) for mood in ("happy", "neutral"))
        wait_for(lambda: len(spotify.searches) == 2)
        assert player.suggest("sad").note == NOT_SEARCHED
        answers.set()
        assert late.result().playlist.name == "Happy late"
        assert broken.result().note == NOT_SEARCHED
    clock.now += 3599
    assert player.suggest("angry").note == NOT_SEARCHED
    with pytest.raises(MusicError, match="429"):
        player.check()
    assert len(spotify.searches) == 3


def test_a_token_that_was_revoked_is_replaced(spotify, player, clock):
    player.suggest("happy")
    spotify.search_answer = standin.TOKEN_EXPIRED
    player.suggest("sad")
    spotify.search_answer = None
    clock.now += 60
    assert player.check().startswith("Spotify answers")
    player.suggest("angry")
    assert spotify.token_requests == 2


@pytest.mark.parametrize("answer", [standin.NOTHING, standin.ONLY_NULLS, Answer({})])
def test_a_search_that_finds_nothing_is_repeated_after_a_minute(spotify, player, clock, answer):
    spotify.answers["angry metal"] = answer
    suggestion = player.suggest("angry")
    assert suggestion.playlist.found_by == "catalogue"
    assert suggestion.note == NOTHING_FOUND
    assert player.suggest("happy").playlist.found_by == "search"  # nothing is wrong with Spotify
    assert player.suggest("angry").note == NOTHING_FOUND
    assert len(spotify.searches) == 2
    spotify.answers.clear()
    clock.now += 60
    assert player.suggest("angry").playlist.found_by == "search"


def test_failure_is_logged_once_and_without_the_secret(spotify, player, clock, caplog):
    spotify.search_answer = standin.PREMIUM_REQUIRED
    with caplog.at_level(logging.WARNING, logger="vibecheck"):
        for _ in range(3):
            player.suggest("happy")
            wait_for(lambda: at_rest(player))
            clock.now += 60
    assert len(spotify.searches) == 3
    (record,) = [each for each in caplog.records if each.name == "vibecheck.music.recommender"]
    assert "premium" in record.message
    assert standin.CLIENT_SECRET not in caplog.text


def test_unexpected_exception_leaves_nobody_waiting(spotify, player, clock, monkeypatch):
    def faulty(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(recommender, "search_spotify", faulty)
        assert seconds(lambda: player.suggest("happy")) < SOON
        assert player.suggest("happy").note == NOT_SEARCHED
        wait_for(lambda: at_rest(player))
    clock.now += 60
    assert player.check().startswith("Spotify answers")


# --- many visitors at once -----------------------------------------------------------------------


def test_twenty_visitors_of_a_hanging_spotify_share_one_search_and_one_wait(
    spotify, clock, open_music, monkeypatch
):
    player = open_music(spotify.client(), patience=TIMEOUT)
    spotify.search_answer = standin.HANG
    start = threading.Barrier(20)

    def visit(_: int) -> tuple[float, Suggestion]:
        start.wait()
        before = time.monotonic()
        return player.suggest("happy"), time.monotonic() - before

    with ThreadPoolExecutor(20) as pool:
        visits = list(pool.map(visit, range(20)))
    assert all(suggestion.note == NOT_SEARCHED for suggestion, _ in visits)
    assert max(took for _, took in visits) < SOON
    assert len(spotify.searches) == 1
    # The request still hangs when the pause is over: no second one joins it, and nobody waits for it.
    clock.now += 61
    monkeypatch.setattr(player, "_patience", LONG)
    assert seconds(lambda: player.suggest("happy")) < SOON
    assert spotify.most_at_once == 1
    assert len(spotify.searches) == 1


def test_late_visitor_waits_no_longer_than_the_first(spotify, open_music, monkeypatch):
    player = open_music(spotify.client(), patience=1.0)
    spotify.search_answer = standin.HANG
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(player.suggest, "happy")
        wait_for(lambda: spotify.searches)
        monkeypatch.setattr(player, "_patience", LONG)
        assert seconds(lambda: player.suggest("happy")) < SOON
        assert first.result().note == NOT_SEARCHED


def test_signing_in_and_searching_share_one_wait(spotify, open_music, monkeypatch):
    player, answers = open_music(spotify.client(), patience=1.0), threading.Event()
    spotify.token_answer = Answer({"access_token": "a-token", "expires_in": 3600}, delay=0.5)
    spotify.search_answer = Answer(standin.page(item("H" * 22, "Happy late")).body, after=answers)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(player.suggest, "happy")
        wait_for(lambda: spotify.token_requests)
        monkeypatch.setattr(player, "_patience", LONG)
        assert first.result(SOON).note == NOT_SEARCHED
    answers.set()
    wait_for(lambda: at_rest(player))
    assert player.suggest("happy").playlist.name == "Happy late"  # what came late is not lost


def test_visitors_of_one_mood_share_a_search_that_succeeds(spotify, player):
    spotify.search_answer = Answer(standin.page(item("H" * 22, "Happy shared")).body, delay=0.1)
    with ThreadPoolExecutor(20) as pool:
        names = {each.playlist.name for each in pool.map(player.suggest, ["happy"] * 20)}
    assert names == {"Happy shared"}
    assert len(spotify.searches) == 1


def test_a_mood_that_hangs_does_not_hold_up_the_others(spotify, open_music):
    player, answers = open_music(spotify.client()), threading.Event()
    assert player.suggest("sad").playlist.found_by == "search"
    spotify.answers["happy vibes"] = Answer(standin.BROKEN.body, 500, after=answers)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(player.suggest, "happy")
        wait_for(lambda: len(spotify.searches) == 2)
        player.suggest("sad")
        assert player.suggest("angry").playlist.found_by == "search"
        assert not hanging.done()
        answers.set()


# --- what strangers write ------------------------------------------------------------------------


def test_malicious_search_results_are_reduced_to_playlists_with_safe_names(spotify, player):
    spotify.search_answer = standin.HOSTILE
    assert {each.id: each.name for each in all_of(player, "happy") if each.found_by == "search"} == {
        "D" * 22: "alert('x') Rock & Roll",
        "E" * 22: "two lines [31m and back",
        "F" * 22: ("long " * 16)[:79] + "…",
        "G" * 22: "half a character, I ‹3 it",
    }
