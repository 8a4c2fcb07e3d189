"""Reads back from Comet when the queue asks for it, beside the sender, which it does not hold up."""

import logging
import os
import threading
import time
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import uuid4

from vibecheck.comet.client import Comet
from vibecheck.comet.restore import NOTHING, restore, since_days
from vibecheck.comet.status import RESTORING, Restoring, schedule_restore
from vibecheck.errors import CometError, CometRejected, RecordsError
from vibecheck.records.db.transactions import writing
from vibecheck.records.outbox.notes import write_note
from vibecheck.records.outbox.queue import RESTORE, Claimed, Queue
from vibecheck.records.store import Store
from vibecheck.settings import Settings

log = logging.getLogger(__name__)

LOOKS_EVERY = 2.0
TRIES_AGAIN = timedelta(seconds=30)
RENEWS_EVERY = 20.0


def begin_if_empty(store: Store) -> None:
    """Asks for everything to be read back where the store is empty. Raises RecordsError."""
    if store.count() == 0:
        with writing(store.engine) as connection:
            schedule_restore(connection)


def run(settings: Settings, store: Store, stop: threading.Event) -> None:
    """Does what the queue asks for until `stop` is set."""
    queue = Queue(store.engine, f"fetcher-{os.getpid()}-{uuid4().hex[:8]}")
    while not stop.wait(LOOKS_EVERY):
        try:
            for claimed in queue.claim(1, kinds=(RESTORE,)):
                _restore(settings, store, queue, claimed)
        except RecordsError as error:
            log.warning("Reading back from Comet waits: %s", error)


def _restore(settings: Settings, store: Store, queue: Queue, claimed: Claimed) -> None:
    at, renewed = NOTHING, time.monotonic()

    def say(now: Restoring) -> None:
        nonlocal at, renewed
        at = now
        with writing(store.engine) as connection:
            write_note(connection, RESTORING, asdict(now))
        if time.monotonic() - renewed > RENEWS_EVERY:
            queue.renew([claimed])
            renewed = time.monotonic()

    try:
        restore(Comet.open(settings), store, since_days(settings.retention_days), say)
    except CometRejected as error:
        say(replace(at, sentence=str(error)))
        queue.set_aside(claimed, str(error))
    except CometError as error:
        say(replace(at, sentence=str(error)))
        queue.postpone(claimed, TRIES_AGAIN, str(error))
    else:
        queue.finish(claimed)
