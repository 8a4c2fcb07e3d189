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


def run(
    open_store: Callable[[], Store],
    retention: timedelta,
    stop: threading.Event,
    every: timedelta = timedelta(days=1),
) -> None:
    """Purges the records at once and then at every interval `every`, until `stop` is set.

    `open_store` may raise VibeCheckError: this can start before the records can be opened. Failures are
    logged and retried after a minute. The process may end during a purge: the next one completes it.
    """
    pause, purge_at = 0.0, time.monotonic()
    while not stop.wait(pause):
        pause = min(RETRY_AFTER, every.total_seconds())
        try:
            store = open_store()
            if time.monotonic() < purge_at:
                store.erase_remaining()
                continue
            if not store.synthetic():  # synthetic records belong to nobody, so they stay
                store.purge(datetime.now(UTC) - retention)
            purge_at = time.monotonic() + every.total_seconds()
        except VibeCheckError as error:
            log.warning("Old records could not be deleted: %s", error)
        except Exception:
            log.exception("Old records could not be deleted.")
