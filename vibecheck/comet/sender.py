"""Sends the outbox to Comet, in a process of its own, for as long as it is let.

Several senders may run, on several machines: they share the queue. One that dies leaves nothing
behind that another does not take up. `python -m vibecheck send` runs one; the app starts it itself.
"""

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from vibecheck.comet.client import Comet
from vibecheck.comet.deliver import Delivery
from vibecheck.comet.status import ASKED, SENDER, SPEAKS_EVERY
from vibecheck.errors import CometError, CometRefuses, CometRejected, CometUnavailable, RecordsError
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.outbox.messages import MODEL
from vibecheck.records.outbox.notes import read_note, write_note
from vibecheck.records.outbox.queue import LEASE, RESTORE, Claimed, Queue
from vibecheck.records.store import Store
from vibecheck.settings import Settings

log = logging.getLogger(__name__)

# Rows taken at once. They are sent one after the other, so a claim must outlast all of them; it is
# renewed when a third of it is over.
BATCH = 16
# What other threads of the process do.
OTHERS = (RESTORE, MODEL)
# After so many attempts without any progress, who only wanted the queue emptied is told why it is not.
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long: `poll` seconds between looks into an empty queue, pauses between attempts
    that grow up to `longest_pause` seconds, and for how long a claim holds."""

    poll: float = 2.0
    first_pause: float = 1.0
    longest_pause: float = 300.0
    lease: timedelta = LEASE


class Sender:
    """One sender. `run` returns when `stop` is set."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        pace: Pace | None = None,
        connect: Callable[[Settings], Comet] = Comet.open,
    ) -> None:
        self._settings = settings
        self._store = store
        self._pace = pace or Pace()
        self._connect = connect
        self._name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._queue = Queue(store.engine, self._name, self._pace.lease)
        self._comet: Comet | None = None
        self._delivery: Delivery | None = None
        self._spoke: tuple[float, bool, str] | None = None
        self._progress = False
        self.stop = threading.Event()

    def run(self, until_empty: bool = False) -> None:
        """Sends until it is stopped, and tries again for ever what fails.

        With `until_empty` it returns when nothing is due, and raises the CometError of the last of a few
        attempts.
        """
        while not self.stop.is_set():
            try:
                for attempt in self._retrying(give_up=until_empty):
                    with attempt:
                        self._drain()
            except RecordsError as error:
                log.warning("The outbox cannot be read: %s", error)
                self._sleep(self._pace.longest_pause / 10)
                continue
            if until_empty and not self._queue.anything_due(but=OTHERS):
                return
            self._sleep(self._pace.poll)

    def _retrying(self, give_up: bool) -> Retrying:
        backoff = wait_random_exponential(
            multiplier=self._pace.first_pause, max=self._pace.longest_pause, min=self._pace.first_pause / 2
        )

        def pause(state: RetryCallState) -> float:
            if self._progress:  # what fails now is another failure than before
                self._progress, state.attempt_number = False, 1
            trouble = state.outcome.exception() if state.outcome else None
            asked = trouble.retry_after if isinstance(trouble, CometUnavailable) else None
            return backoff(state) if asked is None else asked + random.uniform(0, 0.1 * asked + 0.05)

        def ended(state: RetryCallState) -> bool:
            return self.stop.is_set() or (give_up and state.attempt_number >= ATTEMPTS)

        def end(state: RetryCallState) -> None:
            if not self.stop.is_set() and state.outcome:
                state.outcome.result()  # raises what the last attempt did

        return Retrying(
            retry=retry_if_exception_type((CometUnavailable, CometRefuses)),
            wait=pause,
            sleep=self._sleep,
            stop=ended,
            retry_error_callback=end,
        )

    def _drain(self) -> None:
        """Sends all that is due. Raises the first trouble."""
        try:
            delivery = self._connected()
        except CometError as error:
            self._speak(False, str(error))
            raise
        self._speak(True, "")
        while not self.stop.is_set() and (batch := self._queue.claim(BATCH, but=OTHERS)):
            self._send(delivery, batch)
            self._speak(True, "")

    def _send(self, delivery: Delivery, batch: list[Claimed]) -> None:
        """Sends a batch, row by row; what is not sent is given back."""
        left = list(batch)
        taken = time.monotonic()
        try:
            while left and not self.stop.is_set():
                if time.monotonic() - taken > self._pace.lease.total_seconds() / 3:
                    mine = self._queue.renew(left)
                    left = [claimed for claimed in left if claimed.row.id in mine]
                    taken = time.monotonic()
                    continue
                claimed = left.pop(0)
                try:
                    self._queue.finish(claimed, delivery.deliver(claimed))
                    self._progress = True
                except CometRejected as error:
                    log.warning("Comet will not have a %s: %s", claimed.row.kind, error)
                    self._queue.set_aside(claimed, str(error))
                except CometRefuses as error:
                    # Given back as tried: a part of it may have arrived before the refusal.
                    self._queue.postpone(claimed, timedelta(0), str(error))
                    self._tell(error)
                    raise
                except CometUnavailable as error:
                    self._queue.postpone(claimed, self._row_pause(claimed, error), str(error))
                    self._tell(error)
                    raise
                except RecordsError:
                    raise  # it may have arrived; the claim ends by itself
                except Exception as error:
                    log.exception("A %s cannot be sent.", claimed.row.kind)
                    sentence = f"A mistake in VibeCheck ({type(error).__name__}): the terminal says more."
                    self._queue.set_aside(claimed, sentence)
        finally:
            if left:
                self._queue.release(left)

    def _row_pause(self, claimed: Claimed, error: CometUnavailable) -> timedelta:
        """So one row that makes Comet stumble each time does not hold up the others."""
        longest = min(2.0 ** min(claimed.attempts, 12), 900.0) * self._pace.first_pause
        return timedelta(seconds=max(error.retry_after or 0.0, random.uniform(longest / 2, longest)))

    def _connected(self) -> Delivery:
        if self._delivery is None:
            self._comet = self._connect(self._settings)
            self._delivery = Delivery(self._comet, self._store)
        return self._delivery

    def _tell(self, error: CometError) -> None:
        self._comet = self._delivery = None  # ask anew who the key belongs to: it says more than a record
        self._speak(False, str(error))

    def _speak(self, works: bool, sentence: str) -> None:
        """Tells the app how it goes: at each change, and now and then so that it knows of this process."""
        last = self._spoke
        new = last is None or (works, sentence) != last[1:]
        if last and not new and time.monotonic() - last[0] < SPEAKS_EVERY:
            return
        if new:
            log.log(logging.INFO if works else logging.WARNING, "Comet: %s", sentence or "connected.")
        content = {"works": works, "sentence": sentence}
        with writing(self._store.engine) as connection:
            before = read_note(connection, SENDER)
            known = before.content.get("account") if before else None
            account = asdict(self._comet.account) if self._comet else known
            write_note(connection, SENDER, content | {"account": account})
        self._spoke = (time.monotonic(), works, sentence)

    def _sleep(self, seconds: float) -> None:
        """Waits, but no longer than until it is stopped or somebody asks to try again."""
        end = time.monotonic() + seconds
        asked = self._asked()
        while (left := end - time.monotonic()) > 0 and not self.stop.wait(min(left, self._pace.poll)):
            if self._asked() != asked:
                return
            if self._spoke:
                with suppress(RecordsError):  # of which more is said when the queue is read
                    self._speak(*self._spoke[1:])

    def _asked(self) -> datetime | None:
        """When somebody last asked to try again."""
        try:
            with reading(self._store.engine) as connection:
                note = read_note(connection, ASKED)
        except RecordsError:
            return None
        return note.noted_at if note else None
