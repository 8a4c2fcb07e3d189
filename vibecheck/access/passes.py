"""The access link's token, and the passes that browsers get for it.

Each start generates a token unless one is set. A browser exchanges it for a pass, a random value in a
cookie. Passes are kept in this process (as hashes), so that each can be revoked.
"""

import hashlib
import hmac
import re
import secrets
import threading
from collections import OrderedDict

# A chosen token is never slowed down when it is right, so it has to be too long to guess.
TOKEN_LENGTH = 32
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
PASS_SECONDS = 24 * 3600
MOST_PASSES = 1000  # valid at the same time; the oldest are dropped

# Wrong links, per address.
FREE_TRIES = 10
TRY_EVERY = 10.0  # s; after the first free attempts
MOST_ADDRESSES = 10_000


def check_token(token: str) -> None:
    """Raises ValueError unless `token` is long enough and can stand in an address as it is."""
    if len(token) < TOKEN_LENGTH:
        raise ValueError(f"it needs {TOKEN_LENGTH} characters or more, drawn at random")
    if not _TOKEN.fullmatch(token):
        raise ValueError("it may have only letters, digits and - . _ ~, since it is part of an address")


class Passes:
    """The token of this start and the passes given for it. Every `now` is in seconds, of one clock.

    Thread-safe.
    """

    def __init__(self, token: str | None = None) -> None:
        """`token` is the one from the settings, or None to generate one (256 bits)."""
        self._drawn = token is None
        self.token = token or secrets.token_urlsafe(32)
        self._lock = threading.Lock()
        self._expiry: OrderedDict[bytes, float] = OrderedDict()  # by the pass's digest, oldest first

    def exchange(self, offered: str, now: float) -> str | None:
        """A new pass, valid for a day, if `offered` is the token."""
        if not hmac.compare_digest(digest(offered), digest(self.token)):  # in constant time
            return None
        made = secrets.token_urlsafe(32)
        with self._lock:
            self._expiry[digest(made)] = now + PASS_SECONDS
            while len(self._expiry) > MOST_PASSES or next(iter(self._expiry.values())) <= now:
                self._expiry.popitem(last=False)
        return made

    def valid(self, shown: str | None, now: float) -> bool:
        """Whether `shown` is a pass that has neither expired nor been revoked."""
        with self._lock:
            return bool(shown) and now < self._expiry.get(digest(shown or ""), 0.0)

    def revoke(self, shown: str | None) -> None:
        """End one pass."""
        with self._lock:
            self._expiry.pop(digest(shown or ""), None)

    def revoke_all(self) -> bool:
        """End all passes, and replace a generated token and so the link; returns whether it was replaced."""
        with self._lock:
            self._expiry.clear()
            if self._drawn:
                self.token = secrets.token_urlsafe(32)
        return self._drawn


class WrongTries:
    """Counts wrong links per address. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy_until: OrderedDict[str, float] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Count a wrong link of this address. Returns the seconds to wait before the next one, or 0."""
        with self._lock:
            until = max(now, self._busy_until.pop(address, now)) + TRY_EVERY
            allowed = now + FREE_TRIES * TRY_EVERY
            self._busy_until[address] = min(until, allowed + TRY_EVERY)
            while len(self._busy_until) > MOST_ADDRESSES:
                self._busy_until.popitem(last=False)
            return max(0.0, until - allowed)


def digest(text: str) -> bytes:
    """The SHA-256 of a secret that a browser sent, which may be any text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
