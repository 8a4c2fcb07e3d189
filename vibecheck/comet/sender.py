"""Sends the outbox to Comet, in a process of its own, until it is stopped.

Any number of senders, on any number of machines, share the outbox; another one takes over rows of a dead one.
`python -m vibecheck send` runs one; the app starts its own.
"""

import logging
import random
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from vibecheck.comet.claims import bug
from vibecheck.comet.client import Comet
from vibecheck.comet.delivery import Delivery, LookAgain
from vibecheck.comet.resend import count_missing
from vibecheck.comet.status import ASKED, HEARTBEAT_EVERY, SAMPLE, SENDER
from vibecheck.errors import CometError, CometRejected, CometUnavailable, RecordsError
from vibecheck.records.outbox.messages import MODEL
from vibecheck.records.outbox.queue import LEASE, RESTORE, Claimed
from vibecheck.records.store import Store
from vibecheck.settings import Settings

log = logging.getLogger(__name__)

# Rows claimed at once. They are sent one after another, and the claim is renewed after a third of its time.
BATCH = 16
# Kinds of rows that other threads of the process handle.
OTHERS = (RESTORE, MODEL)
# With `until_empty`, the attempts without any progress before the error is raised.
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Pace:
    """Timing, in seconds where not a timedelta.

    `poll` between looks at an empty outbox; pauses between attempts from `first_pause` up to `longest_pause`;
    the duration of a claim; the time until a deletion is confirmed; the interval between samples.
    """

    poll: float = 2.0
    first_pause: float = 1.0
    longest_pause: float = 300.0
    lease: timedelta = LEASE
    confirm_after: timedelta = timedelta(minutes=5)
    sample_every: timedelta = timedelta(days=1)


class Sender:
    """One sender. `run` returns when `stop` is set."""

    def __init__(self, settings: Settings, store: Store, pace: Pace | None = None) -> None:
        self._settings = settings
        self._store = store
        self._pace = pace or Pace()
        self._outbox = store.outbox(self._pace.lease)
        self._delivery: Delivery | None = None
        self._noted: tuple[float, bool, str] | None = None
        self._progress = False
        self._trouble = logging.WARNING
        self._asked_before: datetime | None = None
        self.stop = threading.Event()

    def run(self, until_empty: bool = False) -> None:
        """Sends until it is stopped, retrying what fails.

        With `until_empty` it returns when nothing is due and nothing has failed, and raises the CometError of
        the last of a few attempts, instead of logging it.
        """
        self._trouble = logging.INFO if until_empty else logging.WARNING
        failures = 0
        while not self.stop.is_set():
            self._asked_before = self._asked()
            try:
                self._drain()
            except CometError as error:
                failures = 1 if self._progress else failures + 1
                self._progress = False
                if until_empty and failures >= ATTEMPTS:
                    raise
                self._sleep(self._pause(error, failures))
            except RecordsError as error:
                log.warning("The outbox cannot be read: %s", error)
                self._sleep(self._pace.longest_pause / 10)
            except Exception as error:
                if until_empty:
                    raise
                log.exception("Sending failed.")
                with suppress(RecordsError):
                    self._disconnect(bug(error))
                self._sleep(self._pace.longest_pause / 10)
            else:
                if until_empty and not self._outbox.anything_due(but=OTHERS, failed=failures > 0):
                    return
                self._sleep(self._pace.poll)

    def _pause(self, error: CometError, failures: int) -> float:
        """Seconds before the next attempt: as Comet asks, or longer with each failure in a row."""
        asked = error.retry_after if isinstance(error, CometUnavailable) else None
        if asked is not None:
            return asked + random.uniform(0, 0.1 * asked + 0.05)
        longest = min(self._pace.longest_pause, self._pace.first_pause * 2.0 ** min(failures - 1, 30))
        return random.uniform(self._pace.first_pause / 2, longest)

    def _drain(self) -> None:
        """Sends all that is due. Raises the first error that stops it."""
        try:
            delivery = self._delivery = self._delivery or Delivery(Comet.open(self._settings), self._store)
        except CometError as error:
            self._note_state(False, str(error))
            raise
        while not self.stop.is_set() and (batch := self._claim()):
            self._send(delivery, batch)
        if not self.stop.is_set():
            self._note_state(True, "")
            self._look_up_sample(delivery)

    def _claim(self) -> list[Claimed]:
        """Claims rows, deletions first: a limit of the plan, which stops all else, must not hold them up."""
        deletions = self._outbox.claim(BATCH, kinds=("deletion",))
        return deletions + self._outbox.claim(BATCH, but=OTHERS)

    def _look_up_sample(self, delivery: Delivery) -> None:
        """Once a day, notes whether Comet still has what it accepted."""
        noted = self._store.notes.read(SAMPLE)
        if noted is None:
            self._store.notes.write(SAMPLE, {"checked": 0, "missing": 0})
        elif abs(noted.age) > self._pace.sample_every.total_seconds():
            try:
                self._store.notes.write(SAMPLE, count_missing(delivery.comet, self._store))
            except CometError as error:
                self._disconnect(str(error))
                raise

    def _send(self, delivery: Delivery, batch: list[Claimed]) -> None:
        """Sends a batch row by row, and releases the rest."""
        left = list(batch)
        taken = time.monotonic()
        try:
            while left and not self.stop.is_set():
                if time.monotonic() - taken > self._pace.lease.total_seconds() / 3:
                    mine = self._outbox.renew(left)
                    left = [claimed for claimed in left if claimed.id in mine]
                    taken = time.monotonic()
                    continue
                claimed = left.pop(0)
                try:
                    self._outbox.finish(claimed, delivery.deliver(claimed))
                    self._progress = True
                except LookAgain as again:
                    self._outbox.postpone(claimed, self._pace.confirm_after, None, again.payload)
                    self._progress = True
                except CometRejected as error:
                    log.warning("Comet rejected a %s: %s", claimed.kind, error)
                    self._outbox.set_aside(claimed, str(error))
                except CometError as error:
                    # It counts as attempted: part of it may have arrived before a refusal.
                    self._outbox.postpone(claimed, self._row_pause(claimed, error), str(error))
                    self._disconnect(str(error))
                    raise
                except RecordsError:
                    raise  # it may have arrived; the claim expires
                except Exception as error:
                    log.exception("A %s cannot be sent.", claimed.kind)
                    self._outbox.set_aside(claimed, bug(error))
                self._note_state(True, "")  # a batch may take longer than SILENT_AFTER
        finally:
            if left:
                self._outbox.release(left)

    def _row_pause(self, claimed: Claimed, error: CometError) -> timedelta:
        """A pause for each row, so that one that always fails does not hold up the others."""
        if not isinstance(error, CometUnavailable):
            return timedelta(0)
        longest = min(2.0 ** min(claimed.attempts, 12), 900.0) * self._pace.first_pause
        return timedelta(seconds=max(error.retry_after or 0.0, random.uniform(longest / 2, longest)))

    def _disconnect(self, sentence: str) -> None:
        self._delivery = None  # reconnect, which explains more than the error of one record
        self._note_state(False, sentence)

    def _note_state(self, works: bool, sentence: str) -> None:
        """Records its state for the app: at each change, and regularly as a heartbeat."""
        last = self._noted
        new = last is None or (works, sentence) != last[1:]
        if last and not new and time.monotonic() - last[0] < HEARTBEAT_EVERY:
            return
        if new:
            log.log(logging.INFO if works else self._trouble, "Comet: %s", sentence or "connected.")
        content = {"works": works, "sentence": sentence}
        before = self._store.notes.read(SENDER)
        known = before.content.get("account") if before else None
        account = asdict(self._delivery.comet.account) if self._delivery else known
        self._store.notes.write(SENDER, content | {"account": account})
        self._noted = (time.monotonic(), works, sentence)

    def _sleep(self, seconds: float) -> None:
        """Waits, unless stopped or asked to retry since the last attempt began."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.stop.wait(min(left, self._pace.poll)):
            if self._asked() != self._asked_before:
                return
            if self._noted:
                with suppress(RecordsError):  # reported when the outbox is read
                    self._note_state(*self._noted[1:])

    def _asked(self) -> datetime | None:
        """When somebody last asked to retry."""
        try:
            note = self._store.notes.read(ASKED)
        except RecordsError:
            return None
        return note.noted_at if note else None
