"""A small Spotify on this machine: /api/token and /v1/search over real HTTP, well or badly behaved.

with SpotifyStandin() as spotify:
    client = spotify.client()
    spotify.search_answer = QUOTA_EXCEEDED
"""

import base64
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

import spotipy

from vibecheck.music.spotify import spotify_client

CLIENT_ID = "an-app"
CLIENT_SECRET = "its-secret"


@dataclass(frozen=True)
class Answer:
    """What one of the two addresses answers instead of behaving. `body` is bytes, or becomes JSON."""

    body: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before the first byte
    after: threading.Event | None = None  # what the first byte waits for
    hang: bool = False  # no byte at all, until the stand-in closes


def error(status: int, message: str, reason: str | None = None, **headers: str) -> Answer:
    """An error in the form that Spotify's Web API gives it; `retry_after` is the header Retry-After."""
    details = {"status": status, "message": message} | ({"reason": reason} if reason else {})
    names = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return Answer({"error": details}, status, names)


def page(*items: object) -> Answer:
    """A page of search results."""
    return Answer({"playlists": {"href": "", "limit": 10, "total": len(items), "items": list(items)}})


def item(key: object, name: object, **changes: object) -> dict[str, object]:
    """A playlist as the search describes it, but for `changes`."""
    return {
        "collaborative": False,
        "description": "Songs &amp; more",
        "external_urls": {"spotify": f"https://open.spotify.com/playlist/{key}"},
        "href": f"https://api.spotify.com/v1/playlists/{key}",
        "id": key,
        "images": [{"url": "https://i.scdn.co/image/0", "height": 640, "width": 640}],
        "name": name,
        "owner": {"display_name": "somebody", "id": "somebody"},
        "public": True,
        "tracks": {"href": "", "total": 42},
        "type": "playlist",
        "uri": f"spotify:playlist:{key}",
    } | changes


def key_of(words: str, number: int) -> str:
    """The id of the stand-in's playlist of that number for a search by `words`."""
    return (re.sub(r"[^0-9A-Za-z]", "", words) + str(number)).rjust(22, "0")


HANG = Answer(b"", hang=True)
INVALID_LIMIT = error(400, "Invalid limit")
QUOTA_EXCEEDED = error(429, "API rate limit exceeded", "QUOTA_EXCEEDED", retry_after="3600")
PREMIUM_REQUIRED = error(403, "Active premium subscription required for the owner of the app")
TOKEN_EXPIRED = error(401, "The access token expired")
NOT_FOUND = error(404, "Resource not found")
BROKEN = error(500, "Server error.")
UNAVAILABLE_PAGE = Answer(b"<html><h1>503 Service Unavailable</h1></html>", 503, {"Retry-After": "120"})
JSON_STRING = Answer("Too many requests", 429, {"Retry-After": "600"})
JSON_STRING_ERROR = Answer({"error": "server_error"}, 500)
GARBAGE = Answer(b"\xff\xfe<html>not JSON")
TOO_DEEP = Answer(b"[" * 200_000)
CUT_SHORT = Answer(b'{"playlists"', headers={"Content-Length": "5000"})
NOTHING = page()
ONLY_NULLS = page(None, None, None)
INVALID_CLIENT = Answer({"error": "invalid_client", "error_description": "Invalid client"}, 400)
HOSTILE = page(
    None,
    "text",
    7,
    [],
    {},
    item("7" * 21, "Too short an id"),
    item("7" * 23, "Too long an id"),
    item("../../../../evil?x=\n12", "An id that leads elsewhere"),
    item("1111111111111111111111\n", "An id with a line break"),
    item(1234567890123456789012, "A number for an id"),
    item("A" * 22, None),
    item("B" * 22, {"text": "no name"}),
    item("C" * 22, " <b></b>\x00\t"),
    item("D" * 22, "<script>alert('x')</script>Rock &amp; <i>Roll</i>"),
    item("E" * 22, "two\nlines\x1b[31m and \u202eback"),
    item("F" * 22, "long " * 5000),
    item("G" * 22, "half a \ud83d character, I <3 it"),
    item("D" * 22, "The same again"),
)


class SpotifyStandin:
    """The server; use it as a context manager. It counts what it was asked, and can be told to misbehave.

    `token_answer` and `search_answer` replace the proper answer while they are set; `answers` does so
    for a search by these words alone.
    """

    def __init__(self) -> None:
        self.token_answer: Answer | None = None
        self.search_answer: Answer | None = None
        self.answers: dict[str, Answer] = {}
        self.token_requests = 0
        self.searches: list[dict[str, str]] = []
        self.most_at_once = 0  # searches for the same words in flight together
        self._in_flight: dict[str, int] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._clients: list[spotipy.Spotify] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.standin = self
        # A short poll: shutdown() waits for the next one.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()  # waits for the requests in flight
        for client in self._clients:
            client._session.close()

    def client(
        self, timeout: float = 30.0, client_id: str = CLIENT_ID, client_secret: str = CLIENT_SECRET
    ) -> spotipy.Spotify:
        """The product's client, led here instead of to Spotify; `timeout` (s) suits a busy machine."""
        client = spotify_client(client_id, client_secret, timeout)
        self.lead_here(client)
        return client

    def lead_here(self, client: spotipy.Spotify) -> None:
        """Point a client at this server; its connections are closed with the server."""
        url = f"http://127.0.0.1:{self._server.server_port}"
        client.prefix = f"{url}/v1/"
        client.auth_manager.OAUTH_TOKEN_URL = f"{url}/api/token"
        client._session.trust_env = False  # a proxy of this machine has no business here
        self._clients.append(client)

    def token(self, authorization: str, grant: str) -> Answer:
        """What /api/token answers."""
        with self._lock:
            self.token_requests += 1
        if self.token_answer:
            return self.token_answer
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization != f"Basic {expected}" or grant != "client_credentials":
            return INVALID_CLIENT
        return Answer({"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600})

    def search(self, authorization: str, query: dict[str, str]) -> Answer:
        """What /v1/search answers: eight playlists, and two nulls in place of Spotify's own."""
        if answer := self.answers.get(query.get("q", "")) or self.search_answer:
            return answer
        if authorization != "Bearer a-token":
            return TOKEN_EXPIRED
        if not 1 <= int(query.get("limit", "20")) <= 10:
            return INVALID_LIMIT
        if query.get("type") != "playlist" or not query.get("q"):
            return error(400, "Missing or wrong parameter")
        words = query["q"]
        found = [item(key_of(words, number), f"{words} no. {number}") for number in range(8)]
        return page(None, *found[:5], None, *found[5:])

    def started(self, query: dict[str, str]) -> None:
        """A search has come in."""
        with self._lock:
            self.searches.append(query)
            words = query.get("q", "")
            self._in_flight[words] = self._in_flight.get(words, 0) + 1
            self.most_at_once = max(self.most_at_once, self._in_flight[words])

    def ended(self, query: dict[str, str]) -> None:
        """A search has been answered."""
        with self._lock:
            self._in_flight[query.get("q", "")] -= 1

    def wait(self, seconds: float | None) -> None:
        """Let time pass, but no longer than the server runs."""
        self._closing.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() is to wait for them
    standin: SpotifyStandin


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Sign in."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if urlsplit(self.path).path == "/api/token":
            grant = form.get("grant_type", [""])[0]
            self._send(self.server.standin.token(self.headers.get("Authorization", ""), grant))
        else:
            self._send(NOT_FOUND)

    def do_GET(self) -> None:
        """Search."""
        address = urlsplit(self.path)
        if address.path != "/v1/search":
            self._send(NOT_FOUND)
            return
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.server.standin.started(query)
        try:
            self._send(self.server.standin.search(self.headers.get("Authorization", ""), query))
        finally:
            self.server.standin.ended(query)

    def _send(self, answer: Answer) -> None:
        if answer.hang or answer.delay:
            self.server.standin.wait(None if answer.hang else answer.delay)
        if answer.after:
            answer.after.wait(60)
        if answer.hang:
            self.close_connection = True
            return
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))} | answer.headers
        try:
            self.send_response(answer.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:  # the client has given up
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """The test run needs no access log."""
