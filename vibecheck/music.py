"""Mood → playlist: from Spotify's search where an app's credentials are set, else from the catalogue.

Whatever Spotify does, a visitor gets a playlist, after five seconds at the very most: searches run in
threads of their own, and once one has failed nobody waits again until another has succeeded.
"""

import html
import logging
import re
import threading
import time
import tomllib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from vibecheck.emotions import NAMES
from vibecheck.errors import MusicError
from vibecheck.settings import Settings

if TYPE_CHECKING:  # 0.15 s of imports, 0.06 beside Streamlit: only those who set credentials pay it
    import spotipy

CATALOGUE = Path(__file__).with_name("catalogue.toml")
PATIENCE = 5.0  # seconds that a visitor waits, and that each request may take
FRESH = 3600.0  # seconds for which what was found for a mood is used again
PAUSE = 60.0  # seconds without a search after a failure for which Spotify names no time
LONGEST_PAUSE = 3600.0  # seconds: Spotify has been seen to ask for most of a day
MOST_RESULTS = 10  # Spotify answers 400 "Invalid limit" to more

NO_ANSWER = "Spotify did not answer, so this one comes from the built-in catalogue."
NOTHING_FOUND = "Spotify found nothing that fits, so this one comes from the built-in catalogue."
CREDENTIALS = ("SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET")
SPOTIFY = f"Spotify ({', '.join(CREDENTIALS)})"
MEANWHILE = "until then playlists come from the built-in catalogue."
NETWORK = "Check this machine's network and proxy"
PAGE = "the app's page on https://developer.spotify.com/dashboard"
ADVICE = {  # by HTTP status
    400: f"Compare both with {PAGE}",
    401: f"Compare both with {PAGE}",
    403: f"The app's owner needs Spotify Premium, and the app the Web API: see {PAGE}",
    429: "The developer account's quota is used up and comes back by itself",
}
# What spotipy 2.26 lets through besides its own exceptions: no network (OSError, of which those of
# requests are a kind), an error that is a JSON string (AttributeError), a token without its fields
# (KeyError, TypeError), no JSON or no text for a header (ValueError), JSON too deep (RecursionError).
STUMBLES = (OSError, AttributeError, KeyError, TypeError, ValueError, RecursionError)

Mode = Literal["match", "lift"]
Mood = Literal[NAMES]
Line = Annotated[str, StringConstraints(pattern=r"^\S.*\S$", max_length=120)]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist on Spotify. `mood` is the one whose music it is; `name` is plain text, not Markdown."""

    id: str
    name: str
    mood: str
    found_by: Literal["search", "catalogue"]

    @property
    def embed_url(self) -> str:
        """Spotify's player, for a frame that is 352 px high, or 152 px for the compact one."""
        return f"https://open.spotify.com/embed/playlist/{self.id}?utm_source=generator&theme=0"

    @property
    def url(self) -> str:
        """Opens the playlist in Spotify."""
        return f"https://open.spotify.com/playlist/{self.id}"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A playlist for a mood. `reason` says why this one; `note`, where not empty, what went amiss."""

    playlist: Playlist
    mode: Mode
    reason: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why Spotify could not be searched, for the operator, and how many seconds to leave it alone."""

    sentence: str
    pause: float = PAUSE


Outcome = tuple[Playlist, ...] | Trouble


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


def clean_text(text: str, longest: int = 80) -> str:
    """Other people's words as one line: no tags, no control or direction characters, not too long."""
    text = html.unescape(text[: 10 * longest])
    text = re.sub(r"<[/!?a-zA-Z][^<>]*>", " ", text).replace("<", "‹").replace(">", "›")
    kinds = {char: unicodedata.category(char) for char in text}
    kinds |= {"\u200c": "", "\u200d": ""}  # these joiners hold emoji and several scripts together
    instead = {"Cc": " ", "Cf": "", "Cs": "", "Co": ""}
    line = " ".join("".join(instead.get(kinds[char], char) for char in text).split()).strip("\u200c\u200d ")
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def parse_search(answer: object, mood: str) -> tuple[Playlist, ...]:
    """The playlists in an answer of Spotify's search, in its order. What is not one is left out.

    Playlists that an app may not read stand in the list as null, and anybody can name a playlist.
    """
    page = answer.get("playlists") if isinstance(answer, dict) else None
    items = page.get("items") if isinstance(page, dict) else None
    found: dict[str, Playlist] = {}
    for item in items if isinstance(items, list) else ():
        key, name = (item.get("id"), item.get("name")) if isinstance(item, dict) else (None, None)
        if not (isinstance(key, str) and isinstance(name, str) and re.fullmatch(r"[0-9A-Za-z]{22}", key)):
            continue
        if title := clean_text(name):
            found.setdefault(key, Playlist(key, title, mood, "search"))
    return tuple(found.values())[:MOST_RESULTS]


def spotify_client(client_id: str, client_secret: str, timeout: float = PATIENCE) -> "spotipy.Spotify":
    """A client of Spotify's Web API that signs in as an app; each request may take `timeout` seconds."""
    import requests
    import spotipy

    # With a session of its own making, spotipy sleeps on a 429 for as long as it says, be it hours.
    session = requests.Session()
    sign_in = spotipy.SpotifyClientCredentials(
        client_id,
        client_secret,
        requests_session=session,
        requests_timeout=timeout,
        cache_handler=spotipy.MemoryCacheHandler(),  # the default writes the token to ./.cache
    )
    return spotipy.Spotify(auth_manager=sign_in, requests_session=session, requests_timeout=timeout)


def search_spotify(client: "spotipy.Spotify", words: str, mood: str) -> Outcome:
    """The playlists that Spotify finds by `words`, or why it could not be asked. Does not raise."""
    from spotipy.exceptions import SpotifyBaseException

    step = "signing in"
    try:
        client.auth_manager.get_access_token(as_dict=False)
        step = f"searching for “{words}”"
        answer = client.search(words, limit=MOST_RESULTS, type="playlist")
        if not isinstance(answer, dict):  # spotipy turns what is no JSON into None
            raise TypeError("the answer is not a JSON object")
        return parse_search(answer, mood)
    except (SpotifyBaseException, *STUMBLES) as error:
        # spotipy keeps a token for its hour, even one that is broken or was revoked.
        client.auth_manager.cache_handler.save_token_to_cache(None)
        return _explain(step, error)


def _explain(step: str, error: BaseException) -> Trouble:
    """What went wrong, what to do about it, and how long to leave Spotify alone."""
    # spotipy has three ways to hide the HTTP answer, but it stands in the chain of what was raised.
    cause: BaseException | None = error
    while cause is not None and getattr(cause, "response", None) is None:
        cause = cause.__context__
    what, pause = f"{type(error).__name__}, {error}", PAUSE
    advice = f"{NETWORK}, and both settings for typing errors"
    if cause is not None:
        text = cause.response.text[:2000]
        said = re.findall(r'"(?:error|error_description|message|reason)"\s*:\s*"(.*?)"', text) or [text]
        what = f"{cause.response.status_code}, {', '.join(said)}"
        advice = ADVICE.get(cause.response.status_code, "Try again later")
        asked = cause.response.headers.get("Retry-After", "")
        if re.fullmatch(r"[0-9]+", asked):
            pause = min(max(float(asked), 1.0), LONGEST_PAUSE)
    return Trouble(f"{SPOTIFY} failed while {step}: {clean_text(what, 240)}. {advice}; {MEANWHILE}", pause)


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
