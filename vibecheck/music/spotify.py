"""Spotify's Web API: playlists by search, or why it could not be searched."""

import html
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vibecheck.errors import parse_retry_after

if TYPE_CHECKING:  # takes 0.15 s to import, and is needed only with credentials
    import spotipy

PATIENCE = 5.0  # s that each request may take
PAUSE = 60.0  # s without a search after a failure for which Spotify gives no Retry-After
SHORTEST_PAUSE = 1.0  # s
MOST_RESULTS = 10  # Spotify answers 400 "Invalid limit" to more
TRACKS = range(15, 501)  # shorter playlists end too soon, longer ones rarely have a theme

CREDENTIALS = ("SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET")
SPOTIFY = f"Spotify ({', '.join(CREDENTIALS)})"
MEANWHILE = "until then playlists come from the built-in catalogue."
NETWORK = "Check this machine's network and proxy"
PAGE = "the app's page on https://developer.spotify.com/dashboard"
SIGNING_IN = "signing in"
ADVICE = {  # by HTTP status
    400: "The credentials are accepted, but this search is not: update VibeCheck",
    401: "The next search signs in again",
    403: f"The app's owner needs Spotify Premium, and the app the Web API: see {PAGE}",
    429: "The developer account's quota is used up and comes back by itself",
}
# What spotipy 2.26 raises besides its own exceptions: no network (OSError, which those of requests
# are), an error that is a JSON string (AttributeError), a token without its fields (KeyError,
# TypeError), invalid JSON or header text (ValueError), JSON nested too deeply (RecursionError).
SPOTIPY_ERRORS = (OSError, AttributeError, KeyError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist on Spotify. `mood` is our category of its music; `name` is plain text, not Markdown."""

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
class Trouble:
    """Why Spotify could not be searched, for the operator, and the pause (s) before the next search."""

    sentence: str
    pause: float = PAUSE


def clean_text(text: str, longest: int = 80) -> str:
    """Untrusted text as one line without tags, control or direction characters, cut at `longest`."""
    text = html.unescape(text[: 10 * longest])
    text = re.sub(r"<[/!?a-zA-Z][^<>]*>", " ", text).replace("<", "‹").replace(">", "›")
    kinds = {char: unicodedata.category(char) for char in text}
    kinds |= {"\u200c": "", "\u200d": ""}  # these joiners are part of emoji and of several scripts
    instead = {"Cc": " ", "Cf": "", "Cs": "", "Co": ""}
    line = " ".join("".join(instead.get(kinds[char], char) for char in text).split()).strip("\u200c\u200d ")
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def parse_search(answer: object, mood: str) -> tuple[Playlist, ...]:
    """The usable playlists in a response of Spotify's search, in its order.

    Usable: an id, a name, a picture, and a number of tracks in TRACKS where Spotify gives one. Playlists
    that an app may not read are null; names are untrusted text.
    """
    items = _get(answer, "playlists", "items")
    found: dict[str, Playlist] = {}
    for item in items if isinstance(items, list) else ():
        key, name = _get(item, "id"), _get(item, "name")
        if not (isinstance(key, str) and isinstance(name, str) and re.fullmatch(r"[0-9A-Za-z]{22}", key)):
            continue
        total = _get(item, "tracks", "total")
        total = _get(item, "items", "total") if total is None else total  # its name since March 2026
        if not _get(item, "images") or (isinstance(total, int) and total not in TRACKS):
            continue
        if title := clean_text(name):
            found.setdefault(key, Playlist(key, title, mood, "search"))
    return tuple(found.values())[:MOST_RESULTS]


def _get(value: object, *path: str) -> object:
    """What is at `path` in nested objects of JSON, or None."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def spotify_client(client_id: str, client_secret: str, timeout: float = PATIENCE) -> "spotipy.Spotify":
    """A client of Spotify's Web API that signs in as an app; each request may take `timeout` seconds."""
    import requests
    import spotipy

    # With its own session spotipy sleeps on a 429 for as long as Retry-After says, even for hours.
    session = requests.Session()
    sign_in = spotipy.SpotifyClientCredentials(
        client_id,
        client_secret,
        requests_session=session,
        requests_timeout=timeout,
        cache_handler=spotipy.MemoryCacheHandler(),  # the default writes the token to ./.cache
    )
    return spotipy.Spotify(auth_manager=sign_in, requests_session=session, requests_timeout=timeout)


def search_spotify(client: "spotipy.Spotify", query: str, mood: str) -> tuple[Playlist, ...] | Trouble:
    """The playlists that Spotify finds for `query`, or why it could not be searched. Does not raise."""
    from spotipy.exceptions import SpotifyBaseException

    step = SIGNING_IN
    try:
        client.auth_manager.get_access_token(as_dict=False)
        step = f"searching for “{query}”"
        answer = client.search(query, limit=MOST_RESULTS, type="playlist")
        if not isinstance(answer, dict):  # spotipy turns invalid JSON into None
            raise TypeError("the answer is not a JSON object")
        return parse_search(answer, mood)
    except (SpotifyBaseException, *SPOTIPY_ERRORS) as error:
        # spotipy keeps a token for an hour, even one that is broken or was revoked.
        client.auth_manager.cache_handler.save_token_to_cache(None)
        return _explain(step, error)


def _explain(step: str, error: BaseException) -> Trouble:
    """What went wrong, what to do about it, and the pause before the next search."""
    # spotipy hides the HTTP response in three ways, but it is always in the chain of exceptions.
    cause: BaseException | None = error
    response = None
    while cause is not None and response is None:
        response, cause = getattr(cause, "response", None), cause.__context__
    what, pause = f"{type(error).__name__}, {error}", PAUSE
    advice = f"{NETWORK}, and both settings for typing errors" if step == SIGNING_IN else NETWORK
    if response is not None:
        text = response.text[:2000]
        said = re.findall(r'"(?:error|error_description|message|reason)"\s*:\s*"(.*?)"', text) or [text]
        what = f"{response.status_code}, {', '.join(said)}"
        advice = ADVICE.get(response.status_code, "Try again later")
        if step == SIGNING_IN and response.status_code in (400, 401):
            advice = f"Compare both with {PAGE}"
        asked = parse_retry_after(response.headers.get("Retry-After", ""))
        pause = PAUSE if asked is None else max(asked, SHORTEST_PAUSE)
    return Trouble(f"{SPOTIFY} failed while {step}: {clean_text(what, 240)}. {advice}; {MEANWHILE}", pause)
