"""Spotify's Web API: playlists by search, or why it could not be asked."""

import html
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # 0.15 s of imports, 0.06 beside Streamlit: only those who set credentials pay it
    import spotipy

PATIENCE = 5.0  # seconds that each request may take
PAUSE = 60.0  # seconds without a search after a failure for which Spotify names no time
LONGEST_PAUSE = 3600.0  # seconds: Spotify has been seen to ask for most of a day
MOST_RESULTS = 10  # Spotify answers 400 "Invalid limit" to more

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
class Trouble:
    """Why Spotify could not be searched, for the operator, and how many seconds to leave it alone."""

    sentence: str
    pause: float = PAUSE


Outcome = tuple[Playlist, ...] | Trouble


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
    response = None
    while cause is not None and response is None:
        response, cause = getattr(cause, "response", None), cause.__context__
    what, pause = f"{type(error).__name__}, {error}", PAUSE
    advice = f"{NETWORK}, and both settings for typing errors"
    if response is not None:
        text = response.text[:2000]
        said = re.findall(r'"(?:error|error_description|message|reason)"\s*:\s*"(.*?)"', text) or [text]
        what = f"{response.status_code}, {', '.join(said)}"
        advice = ADVICE.get(response.status_code, "Try again later")
        asked = response.headers.get("Retry-After", "")
        if re.fullmatch(r"[0-9]+", asked):
            pause = min(max(float(asked), 1.0), LONGEST_PAUSE)
    return Trouble(f"{SPOTIFY} failed while {step}: {clean_text(what, 240)}. {advice}; {MEANWHILE}", pause)
