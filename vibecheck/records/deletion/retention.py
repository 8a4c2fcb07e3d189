"""Deletes records past their retention, and erases leftovers of deletions, whether or not anybody visits."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from vibecheck.errors import VibeCheckError
from vibecheck.records.store import Store

log = logging.getLogger(__name__)

# Seconds after which a failed purge, or an erasure that a reader prevented, is retried.
RETRY_AFTER = 60.0


class Sweeper:
    """Purges the records at once and then at every interval `every`, in a thread, until it is stopped.

    `open_store` may raise VibeCheckError: a process can start a sweeper before the records can be opened.
    Failures are logged and retried after a minute. The thread does not keep the process alive: the next
    purge completes an interrupted one.
    """

    def __init__(
        self, open_store: Callable[[], Store], retention: timedelta, every: timedelta = timedelta(days=1)
    ) -> None:
        self._open_store = open_store
        self._retention = retention
        self._every = every.total_seconds()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops sweeping; waits for a purge in progress."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        pause, purge_at = 0.0, time.monotonic()
        while not self._stopped.wait(pause):
            pause = min(RETRY_AFTER, self._every)
            try:
                store = self._open_store()
                if time.monotonic() < purge_at:
                    store.erase_remaining()
                    continue
                if not store.synthetic():  # synthetic records belong to nobody, so they stay
                    store.purge(datetime.now(UTC) - self._retention)
                purge_at = time.monotonic() + self._every
            except VibeCheckError as error:
                log.warning("Old records could not be deleted: %s", error)
            except Exception:
                log.exception("Old records could not be deleted.")
