"""Browsers, identified by their cookie: the visitor of each, its sessions and their files."""

import re
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

_ID = re.compile(r"[0-9a-f]{32}")
MOST_DELETED = 10_000
# Streamlit drops a session two minutes after its connection ended; none is resumed later.
FORGET_AFTER = 600.0  # s
MOST_FILES = 1000  # of a session's page


def new_visitor() -> str:
    """A random visitor id (128 bits, hex)."""
    return secrets.token_hex(16)


def is_visitor(shown: object) -> bool:
    """Whether a text from a browser has the form of a visitor id."""
    return isinstance(shown, str) and _ID.fullmatch(shown) is not None


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser as its cookies identify it: its visitor id, and whether it holds a valid pass."""

    visitor: str
    has_pass: bool = False


class Visitors:
    """Maps the id of a visitor who deleted their data to the new id of that browser. Thread-safe.

    Tabs that were open at the deletion, and cookies that still hold the old id, lead to the new one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._successor: OrderedDict[str, str] = OrderedDict()

    def current(self, shown: str) -> str:
        """The current id for `shown`."""
        with self._lock:
            while shown in self._successor:
                shown = self._successor[shown]
        return shown

    def replace(self, visitor: str) -> str:
        """Give the visitor with this id a new one, from now on and in all tabs. Returns it.

        If two tabs do so at the same time, both get the same.
        """
        with self._lock:
            new = self._successor.setdefault(visitor, new_visitor())
            while len(self._successor) > MOST_DELETED:
                self._successor.popitem(last=False)
        return new


class SessionOwners:
    """Which browser opened each Streamlit session, and which files its page names. Thread-safe.

    A session's id alone is no secret: it is part of the addresses of uploads.
    """

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors
        self._lock = threading.Lock()
        self._owners: dict[str, Browser] = {}
        self._files: dict[str, dict[bytes, None]] = {}  # by session, oldest first
        self._closed: OrderedDict[str, float] = OrderedDict()  # when the connection ended, s

    def bind(self, session: str, owner: Browser) -> None:
        """Note who opened a session, or connected to it again."""
        with self._lock:
            self._owners[session] = owner
            self._closed.pop(session, None)

    def owns(self, browser: Browser, session: str) -> bool:
        """Whether this browser may use the session: same visitor, and a pass if it was opened with one."""
        with self._lock:
            owner = self._owners.get(session)
        if owner is None or (owner.has_pass and not browser.has_pass):
            return False
        return self._visitors.current(browser.visitor) == self._visitors.current(owner.visitor)

    def visitor_of(self, session: str) -> str:
        """The current id of the visitor who opened a session, or "" if that is unknown."""
        with self._lock:
            owner = self._owners.get(session)
        return self._visitors.current(owner.visitor) if owner else ""

    def name_file(self, session: str, file: bytes) -> None:
        """Note that the address of a file was sent to a session's page."""
        with self._lock:
            files = self._files.setdefault(session, {})
            files.pop(file, None)
            files[file] = None
            if len(files) > MOST_FILES:
                del files[next(iter(files))]

    def may_open(self, browser: Browser, file: bytes) -> bool:
        """Whether the address of a file was sent to a page of this browser."""
        with self._lock:
            sessions = [session for session, files in self._files.items() if file in files]
        return any(self.owns(browser, session) for session in sessions)

    def close(self, session: str, now: float) -> None:
        """Note that a session's connection ended; after FORGET_AFTER the session is forgotten."""
        with self._lock:
            if session in self._owners:
                self._closed[session] = now
            while self._closed and next(iter(self._closed.values())) < now - FORGET_AFTER:
                gone, _ = self._closed.popitem(last=False)
                del self._owners[gone]
                self._files.pop(gone, None)
