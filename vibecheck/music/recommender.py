"""Mood → playlist: from Spotify's search where an app's credentials are set, else from the catalogue.

Whatever Spotify does, a visitor gets a playlist, after five seconds at the very most: searches run in
threads of their own, and once one has failed nobody waits again until another has succeeded.

It knows moods, not faces, visitors or records.
"""

import logging
import threading
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from vibecheck.emotions import NAMES
from vibecheck.errors import MusicError
from vibecheck.music.spotify import (
    CREDENTIALS,
    MEANWHILE,
    NETWORK,
    PAGE,
    PATIENCE,
    PAUSE,
    SPOTIFY,
    Outcome,
    Playlist,
    Trouble,
    search_spotify,
    spotify_client,
)
from vibecheck.settings import Settings

if TYPE_CHECKING:
    import spotipy

CATALOGUE = Path(__file__).with_name("catalogue.toml")
FRESH = 3600.0  # seconds for which what was found for a mood is used again

NO_ANSWER = "Spotify did not answer, so this one comes from the built-in catalogue."
NOTHING_FOUND = "Spotify found nothing that fits, so this one comes from the built-in catalogue."

Mode = Literal["match", "lift"]
Mood = Annotated[str, StringConstraints(pattern=f"^({'|'.join(NAMES)})$")]
Line = Annotated[str, StringConstraints(pattern=r"^\S.*\S$", max_length=120)]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A playlist for a mood. `reason` says why this one; `note`, where not empty, what went amiss."""

    playlist: Playlist
    mode: Mode
    reason: str
    note: str = ""


class Listed(BaseModel, frozen=True, extra="forbid"):
    """A playlist as the catalogue lists it."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{22}$")]
    name: Line


def _no_twins(playlists: tuple[Listed, ...]) -> tuple[Listed, ...]:
    ids = [playlist.id for playlist in playlists]
    if twins := sorted({each for each in ids if ids.count(each) > 1}):
        raise ValueError(f"listed more than once: {', '.join(twins)}")
    return playlists


class MoodMusic(BaseModel, frozen=True, extra="forbid"):
    """What the catalogue knows of a mood: search words, reasons, the mood that lifts it, playlists."""

    search: Line
    match: Line
    lift: Line
    lift_to: Mood
    playlists: Annotated[tuple[Listed, ...], Field(min_length=1), AfterValidator(_no_twins)]


@cache
def read_catalogue(path: Path = CATALOGUE) -> Mapping[str, MoodMusic]:
    """The catalogue by mood; a file is read and checked once.

    Raises MusicError that names the file and each entry that cannot be used.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        catalogue = TypeAdapter(dict[Mood, MoodMusic]).validate_python(entries)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise MusicError(f"{path} cannot be used: {problems}.") from error
    except (OSError, ValueError) as error:
        raise MusicError(f"{path} cannot be read: {error}.") from error
    if missing := [name for name in NAMES if name not in catalogue]:
        raise MusicError(f"{path} cannot be used: it has no entry for {', '.join(missing)}.")
    return MappingProxyType(catalogue)


class Music:
    """Suggests playlists. One serves all visitors, from any thread.

    `client` is what `spotify_client` makes; without one the catalogue answers alone, and `missing`
    names the credential it lacked. `patience` and `fresh` are seconds, as is what `clock` gives.
    """

    def __init__(
        self,
        catalogue: Mapping[str, MoodMusic],
        client: "spotipy.Spotify | None" = None,
        *,
        patience: float = PATIENCE,
        fresh: float = FRESH,
        clock: Callable[[], float] = time.monotonic,
        missing: str = "",
    ) -> None:
        self._catalogue, self._client, self._missing = catalogue, client, missing
        self._patience, self._fresh, self._clock = patience, fresh, clock
        self._lock = threading.Lock()  # for what follows; never held while Spotify is asked
        self._found: dict[str, tuple[float, tuple[Playlist, ...]]] = {}  # mood → fresh until, playlists
        self._asking: dict[str, threading.Event] = {}  # mood → set once nobody need wait any more
        self._trouble: Trouble | None = None
        self._paused_until = float("-inf")

    @classmethod
    def open(cls, settings: Settings) -> "Music":
        """The music that the settings allow. Raises MusicError if the catalogue cannot be used."""
        key, secret = settings.spotify_client_id or "", settings.spotify_client_secret
        given = (key.strip(), secret.get_secret_value().strip() if secret else "")
        if all(given):
            return cls(read_catalogue(), spotify_client(*given))
        return cls(read_catalogue(), missing=CREDENTIALS[given.index("")] if any(given) else "")

    def suggest(self, mood: str, mode: Mode = "match", played: Sequence[str] = ()) -> Suggestion:
        """A playlist to match or to lift `mood`.

        `played` holds the ids suggested in this session, oldest first, so the last is playing now.
        The first playlist not among them is taken, then the one played longest ago; what Spotify
        found comes before the catalogue. The same arguments and answers give the same suggestion.
        Raises MusicError for a mood or mode that there is none of.
        """
        if mood not in self._catalogue or mode not in ("match", "lift"):
            raise MusicError(f"There is no music to {mode} {mood}: the moods are {', '.join(NAMES)}.")
        about = self._catalogue[mood]
        plays, reason = (mood, about.match) if mode == "match" else (about.lift_to, about.lift)
        found, note = self._search(plays) if self._client else ((), "")
        choices = {playlist.id: playlist for playlist in found}
        for each in self._catalogue[plays].playlists:
            choices.setdefault(each.id, Playlist(each.id, each.name, plays, "catalogue"))
        last = {key: place for place, key in enumerate(played)}
        return Suggestion(min(choices.values(), key=lambda it: last.get(it.id, -1)), mode, reason, note)

    def check(self) -> str:
        """Search Spotify as a trial, and say in a sentence where playlists come from.

        Raises MusicError that names the credentials, the step that failed and what to do. May take
        as long as signing in and searching together.
        """
        both = " and ".join(CREDENTIALS)
        if self._missing:
            raise MusicError(
                f"{self._missing} is not set, and {both} work only together. Set both or neither; {MEANWHILE}"
            )
        if self._client is None:
            return f"Playlists come from the built-in catalogue; {both} of {PAGE} add Spotify's search."
        found, _ = self._search("happy", insist=True)
        with self._lock:
            if self._trouble:
                raise MusicError(self._trouble.sentence)
        return f"Spotify answers: {len(found)} playlists for “{self._catalogue['happy'].search}”."

    def _search(self, mood: str, insist: bool = False) -> tuple[tuple[Playlist, ...], str]:
        """What Spotify found for `mood`, and a note if that is nothing.

        One search a mood at a time: whoever comes meanwhile waits for the same one. While Spotify is
        in trouble it goes on unwatched, unless someone insists on an answer.
        """
        with self._lock:
            trouble, paused = self._trouble, self._clock() < self._paused_until
            known = self._known(mood)
            if known and (paused or not insist):
                return known
            if mood not in self._asking:
                done = threading.Event()
                ask = threading.Thread(
                    target=self._ask, args=(mood, done), name=f"spotify-{mood}", daemon=True
                )
                ask.start()
                self._asking[mood] = done
            done = self._asking[mood]
        if insist or not trouble:
            # Both requests may take their time before an insistent caller hears which one failed.
            patience = 2 * self._patience + 1 if insist else self._patience
            if not done.wait(patience):
                slow = f"{SPOTIFY} did not answer within {patience:g} s. {NETWORK}; {MEANWHILE}"
                self._settle(mood, done, Trouble(slow))  # those who came later need not wait either
            with self._lock:
                known = self._known(mood)
        return known or ((), NO_ANSWER)

    def _known(self, mood: str) -> tuple[tuple[Playlist, ...], str] | None:
        """What can be said without asking Spotify; the caller holds the lock."""
        now = self._clock()
        fresh_until, found = self._found.get(mood, (now, ()))
        if now < fresh_until:
            return found, "" if found else NOTHING_FOUND
        return ((), NO_ANSWER) if now < self._paused_until else None

    def _ask(self, mood: str, done: threading.Event) -> None:
        """One search, in a thread of its own."""
        outcome: Outcome = Trouble(f"{SPOTIFY} was not searched for {mood} music: see the error; {MEANWHILE}")
        try:
            outcome = search_spotify(self._client, self._catalogue[mood].search, mood)
        finally:  # come what may, nobody is left waiting, and the mood can be searched again
            self._settle(mood, done, outcome, over=True)

    def _settle(self, mood: str, done: threading.Event, outcome: Outcome, over: bool = False) -> None:
        """Remember how a search ended, and let those go who wait for it."""
        with self._lock:
            now, before = self._clock(), self._trouble
            if not isinstance(outcome, Trouble):
                self._found[mood] = (now + (self._fresh if outcome else PAUSE), outcome)
                if now >= self._paused_until:  # a pause is kept, whatever other searches find
                    self._trouble = None
            elif now + outcome.pause >= self._paused_until:
                self._trouble, self._paused_until = outcome, now + outcome.pause
            if over:
                del self._asking[mood]
            done.set()
        if isinstance(outcome, Trouble) and outcome != before:
            log.warning(outcome.sentence)
