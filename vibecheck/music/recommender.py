"""Mood → playlist: Spotify's search where an app's credentials are set, mixed with the catalogue.

A visitor gets a playlist within five seconds even if Spotify does not answer: searches run in a thread pool,
and after a failure nobody waits for Spotify until a search has succeeded.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vibecheck.emotions import NAMES
from vibecheck.errors import MusicError
from vibecheck.music.catalogue import MoodMusic, moods_in, read_catalogue
from vibecheck.music.spotify import (
    CREDENTIALS,
    MEANWHILE,
    NETWORK,
    PAGE,
    PATIENCE,
    PAUSE,
    SPOTIFY,
    Playlist,
    Trouble,
    search_spotify,
    spotify_client,
)
from vibecheck.settings import Settings
from vibecheck.text.plurals import counted

if TYPE_CHECKING:
    import spotipy

FRESH = 3600.0  # s for which the playlists found for a mood are reused

NOT_SEARCHED = "Spotify could not be searched, so this one comes from the built-in catalogue."
NOTHING_FOUND = "Spotify found nothing that fits, so this one comes from the built-in catalogue."
NEARBY = "You have heard every playlist for this mood, so this one is for a mood close to it."
CALM = "The mood is hard to tell, so this is the calmest matching playlist."
ALL_HEARD = "You have heard every playlist for this mood."

Mode = Literal["match", "lift"]
MODES: dict[Mode, str] = {"match": "Match my mood", "lift": "Lift my mood"}  # their names on the page

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A playlist for a mood. `reason` says why it was chosen; `note`, if not empty, is a remark about it."""

    playlist: Playlist
    mode: Mode
    reason: str
    note: str = ""


def why(about: MoodMusic, mode: Mode, playlist_id: str, clear: bool) -> str:
    """The reason for a playlist that matches or lifts a mood, which is `clear` or hard to tell."""
    if mode == "lift":
        return about.lift
    return CALM if not clear and playlist_id == about.calm else about.match


class Music:
    """Suggests playlists. Share one among all visitors; it is safe in any thread.

    `client` comes from `spotify_client`; without one only the catalogue is used, and `missing` names the
    credential that is not set. `patience` is in seconds, as is what `clock` returns.
    """

    def __init__(
        self,
        catalogue: Mapping[str, MoodMusic],
        client: "spotipy.Spotify | None" = None,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        missing: str = "",
    ) -> None:
        self._catalogue, self._client, self._missing = catalogue, client, missing
        self._patience, self._clock = patience, clock
        self._pool = ThreadPoolExecutor(len(NAMES), "spotify")
        self._lock = threading.Lock()  # guards everything below; never held during a request
        self._found: dict[str, tuple[float, tuple[Playlist, ...]]] = {}  # mood → (fresh until, playlists)
        # mood → the search, and until when visitors wait for it (monotonic, s)
        self._running: dict[str, tuple[Future[None], float]] = {}
        self._trouble: Trouble | None = None
        self._paused_until = float("-inf")

    @classmethod
    def open(cls, settings: Settings) -> "Music":
        """The music that the settings allow. Raises MusicError if the catalogue is invalid."""
        key, secret = settings.spotify_client_id or "", settings.spotify_client_secret
        given = (key.strip(), secret.get_secret_value().strip() if secret else "")
        if all(given):
            return cls(read_catalogue(), spotify_client(*given))
        return cls(read_catalogue(), missing=CREDENTIALS[given.index("")] if any(given) else "")

    def suggest(
        self, mood: str, mode: Mode = "match", played: Sequence[str] = (), clear: bool = True
    ) -> Suggestion:
        """A playlist to match or to lift `mood`; to match one that is not `clear`, its calmest comes first.

        `played` are the ids suggested in this session, oldest first. None of them is suggested again: once
        all playlists of the mood are used up, those of a mood near it follow, and then the last one stays.
        Deterministic in its arguments and Spotify's answers. Raises MusicError for an unknown mood or mode.
        """
        if mood not in self._catalogue or mode not in ("match", "lift"):
            raise MusicError(f"There is no music to {mode} {mood}: the moods are {', '.join(NAMES)}.")
        about = self._catalogue[mood]
        plays, other = (mood, about.lift_to) if mode == "match" else (about.lift_to, mood)
        choices, note = self._choices(plays, "" if clear or mode == "lift" else about.calm)
        unheard = next((each for key, each in choices.items() if key not in played), None)
        if unheard is None:
            last = next(key for key in reversed(played) if key in choices)
            note = ALL_HEARD
            if not self._choices(other)[0].keys() <= set(played):
                note += f" “{MODES['lift' if mode == 'match' else 'match']}” has more."
            return Suggestion(choices[last], mode, why(about, mode, last, clear), note)
        note = note if unheard.mood == plays else NEARBY
        return Suggestion(unheard, mode, why(about, mode, unheard.id, clear), note)

    def check(self) -> str:
        """Search Spotify once, and say in a sentence where playlists come from.

        Raises MusicError that names the credentials, the step that failed and what to do.
        """
        both = " and ".join(CREDENTIALS)
        if self._missing:
            raise MusicError(
                f"{self._missing} is not set, and {both} work only together. Set both or neither; {MEANWHILE}"
            )
        if self._client is None:
            return f"Playlists come from the built-in catalogue; {both} of {PAGE} add Spotify's search."
        if self._clock() >= self._paused_until:
            self._run("happy")
        with self._lock:
            if self._trouble:
                raise MusicError(self._trouble.sentence)
            _, found = self._found["happy"]
        return f"Spotify answers: {counted(len(found), 'playlist')} for a happy mood."

    def close(self) -> None:
        """Start no more searches; running ones finish."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _choices(self, mood: str, calm: str = "") -> tuple[dict[str, Playlist], str]:
        """Playlists by id: `calm`, those of the mood, those of a mood near it; and a note on the search."""
        found, note = self._search(mood) if self._client else ((), "")
        first = [each for each in self._listed(mood) if each.id == calm]
        choices: dict[str, Playlist] = {}
        for each in (*first, *self._mixed(mood, found), *self._listed(self._catalogue[mood].near)):
            choices.setdefault(each.id, each)
        return choices, note

    def _listed(self, mood: str) -> list[Playlist]:
        return [Playlist(each.id, each.name, mood, "catalogue") for each in self._catalogue[mood].playlists]

    def _mixed(self, mood: str, found: Sequence[Playlist]) -> list[Playlist]:
        """Found playlists in the order of `_ranked`, with the catalogue's first choice first or second."""
        first, *rest = self._listed(mood)
        ahead = 1 if found and mood in moods_in(found[0].name, self._catalogue) else 0
        return [*found[:ahead], first, *found[ahead:], *rest]

    def _ranked(self, mood: str, found: Iterable[Playlist]) -> tuple[Playlist, ...]:
        """Playlists whose names suit the mood, then those that name no mood; the rest is dropped."""
        fits = {mood, self._catalogue[mood].near}
        named = {each.id: (each, moods_in(each.name, self._catalogue)) for each in found}.values()
        suit = [each for each, moods in named if mood in moods <= fits]
        return (*suit, *(each for each, moods in named if not moods))

    def _search(self, mood: str) -> tuple[tuple[Playlist, ...], str]:
        """What Spotify found for `mood`, and a note if that is nothing.

        Concurrent callers share one search per mood. While Spotify is in trouble nobody waits for it.
        """
        with self._lock:
            if known := self._known(mood):
                return known
            if mood not in self._running:
                search = self._pool.submit(self._run, mood)
                self._running[mood] = search, time.monotonic() + self._patience
            (search, deadline), wait = self._running[mood], not self._trouble
        if wait:
            try:
                search.result(max(0.0, deadline - time.monotonic()))
            except NotYet:
                slow = f"{SPOTIFY} did not answer in time. {NETWORK}; {MEANWHILE}"
                self._remember(mood, (), Trouble(slow))
            with self._lock:
                known = self._known(mood)
        return known or ((), NOT_SEARCHED)

    def _known(self, mood: str) -> tuple[tuple[Playlist, ...], str] | None:
        """What can be said without asking Spotify. The caller holds the lock."""
        now = self._clock()
        fresh_until, found = self._found.get(mood, (now, ()))
        if now < fresh_until:
            return found, "" if found else NOTHING_FOUND
        return ((), NOT_SEARCHED) if now < self._paused_until else None

    def _run(self, mood: str) -> None:
        """All queries of a mood, up to the first that fails."""
        found: list[Playlist] = []
        trouble = None
        try:
            for query in self._catalogue[mood].search:
                answer = search_spotify(self._client, query, mood)
                if isinstance(answer, Trouble):
                    trouble = answer
                    break
                found += answer
        except Exception:
            log.exception("Spotify could not be searched for %s music", mood)
            trouble = Trouble(f"{SPOTIFY} could not be searched: the terminal says more; {MEANWHILE}")
        self._remember(mood, self._ranked(mood, found), trouble)
        with self._lock:
            self._running.pop(mood, None)

    def _remember(self, mood: str, found: tuple[Playlist, ...], trouble: Trouble | None) -> None:
        """Keep the result of a search, and leave Spotify alone for a while after trouble."""
        with self._lock:
            now, before = self._clock(), self._trouble
            if found or not trouble:
                self._found[mood] = (now + (FRESH if found else PAUSE), found)
            if trouble and now + trouble.pause >= self._paused_until:
                self._trouble, self._paused_until = trouble, now + trouble.pause
            elif not trouble and now >= self._paused_until:  # a pause is kept, whatever other searches find
                self._trouble = None
        if trouble and trouble != before:
            log.warning(trouble.sentence)
