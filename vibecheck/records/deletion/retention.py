"""Deletes what has been kept for long enough, whether or not anybody visits."""

import logging
import threading
from datetime import UTC, datetime, timedelta

from vibecheck.errors import RecordsError
from vibecheck.records.store import Store

log = logging.getLogger(__name__)


class Sweeper:
    """Purges a store at once and then after every `every`, in a thread of its own, until it is stopped.

    What cannot be deleted now is said in the log and tried again the next time. The thread does not
    keep the process alive: a purge that is cut off is taken up by the next one.
    """

    def __init__(self, store: Store, retention: timedelta, every: timedelta = timedelta(days=1)) -> None:
        self._store = store
        self._retention = retention
        self._every = every.total_seconds()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Sweep no more. Waits for a purge that is at work."""
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
