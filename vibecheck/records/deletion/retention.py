"""Deletes records past their retention, whether or not anybody visits."""

import logging
import threading
from datetime import UTC, datetime, timedelta

from vibecheck.errors import RecordsError
from vibecheck.records.store import Store

log = logging.getLogger(__name__)


class Sweeper:
    """Purges a store at once and then at every interval `every`, in a thread, until it is stopped.

    Failures are logged and retried at the next interval. The thread does not keep the process alive: the next
    purge completes an interrupted one.
    """

    def __init__(self, store: Store, retention: timedelta, every: timedelta = timedelta(days=1)) -> None:
        self._store = store
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
        while not self._stopped.is_set():
            try:
                if not self._store.synthetic():  # made-up records belong to nobody, so they stay
                    self._store.purge(datetime.now(UTC) - self._retention)
            except RecordsError as error:
                log.warning("Old records could not be deleted: %s", error)
            self._stopped.wait(self._every)
