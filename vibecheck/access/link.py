"""The access link: whoever opens it may open every page. As notebook servers do it.

The link holds a token, drawn anew at each start unless one is set. It buys a pass, which the browser
keeps in a cookie: not the token itself, and signed with a key of this start, so that a pass that
leaks opens nothing after a day or after the next start, and says nothing of the token.
"""

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass

TOKEN_LENGTH = 16
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
PASS_SECONDS = 24 * 3600
_PASS = re.compile(r"([0-9]{1,12})\.([0-9a-f]{64})")

# Of one session: so many wrong tries are free, then each doubles the wait.
FREE_TRIES = 3
LONGEST_WAIT = 300.0  # s
# Of all sessions together: somebody who guesses may open a new session for each guess.
BURST = 60
REFILL = 0.5  # tries a second


@dataclass(frozen=True, slots=True)
class Tries:
    """A session's wrong tries, and the time (s) before which no other is looked at."""

    wrong: int = 0
    not_before: float = 0.0


def check_token(token: str) -> None:
    """Raises ValueError unless `token` is long enough and can stand in an address as it is."""
    if len(token) < TOKEN_LENGTH:
        raise ValueError(f"it needs {TOKEN_LENGTH} characters or more")
    if not _TOKEN.fullmatch(token):
        raise ValueError("it may have letters, digits and - . _ ~ only, since it stands in an address")


def same_token(one: str, other: str) -> bool:
    """Whether two tokens are the same, in a time that tells nothing of where they differ."""
    digests = (hashlib.sha256(each.encode("utf-8", "surrogatepass")).digest() for each in (one, other))
    return hmac.compare_digest(*digests)


class AccessLink:
    """The link of one start of the app. Safe to use from several threads.

    Every `now` is in seconds, of one clock.
    """

    def __init__(self, token: str | None = None) -> None:
        """`token` is the one that is set, or None to draw one."""
        self.token = token or secrets.token_urlsafe(32)
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._left = float(BURST)
        self._counted = 0.0

    def try_token(self, offered: str, tries: Tries, now: float) -> tuple[str | None, Tries]:
        """A pass if the token is right, else None; and the session's tries after this one.

        While a session has to wait, and while there are too many wrong tries from all sessions
        together, a token is not looked at, right or wrong.
        """
        if now < tries.not_before:
            return None, tries
        with self._lock:
            self._left = min(BURST, self._left + max(0.0, now - self._counted) * REFILL)
            self._counted = now
            if self._left < 1:
                return None, Tries(tries.wrong, now + (1 - self._left) / REFILL)
            if same_token(offered, self.token):
                return self.give_pass(now), Tries()
            self._left -= 1
        wrong = tries.wrong + 1
        wait = min(LONGEST_WAIT, 2.0 ** min(wrong - FREE_TRIES, 30)) if wrong > FREE_TRIES else 0.0
        return None, Tries(wrong, now + wait)

    def give_pass(self, now: float) -> str:
        """A pass for a day from now."""
        until = str(int(now) + PASS_SECONDS)
        return f"{until}.{self._signature(until)}"

    def honours(self, shown: object, now: float) -> bool:
        """Whether what a browser shows is a pass of this start that has not run out."""
        match = _PASS.fullmatch(shown) if isinstance(shown, str) else None
        if match is None or not hmac.compare_digest(match[2], self._signature(match[1])):
            return False
        return now < int(match[1])

    def _signature(self, until: str) -> str:
        return hmac.new(self._key, f"{until} {self.token}".encode(), hashlib.sha256).hexdigest()
