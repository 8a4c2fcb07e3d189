"""Restores from Comet when the outbox asks for it, in a thread beside the sender."""

import logging
import os
import threading
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

from vibecheck.comet.claims import bug, handle_all, held
from vibecheck.comet.restore import NOTHING, restore, since_days
from vibecheck.comet.status import RESTORED, RESTORING, Restoring, schedule_restore
from vibecheck.errors import CometError, CometRejected, RecordsError
from vibecheck.records.outbox.queue import RESTORE, Claimed, Outbox
from vibecheck.records.store import Store
from vibecheck.settings import Settings

log = logging.getLogger(__name__)

TRIES_AGAIN = timedelta(seconds=30)


def begin_once(settings: Settings, store: Store) -> None:
    """Schedules a restore unless one from the same place was completed. Raises RecordsError."""
    note = store.notes.read(RESTORED)
    if store.synthetic():  # which takes no real records
        return
    if note is None or note.content != _place(settings):
        schedule_restore(store)


def _place(settings: Settings) -> dict[str, str]:
    return {
        "workspace": settings.comet_workspace or "",
        "project": settings.comet_project_name,
        "deployment": settings.deployment,
    }


def run(settings: Settings, store: Store, stop: threading.Event) -> None:
    """Runs the restores in the outbox until `stop` is set."""
    outbox = store.outbox(f"restore-{os.getpid()}-{uuid4().hex[:8]}")
    handle_all(outbox, RESTORE, partial(_restore, settings, store, outbox), stop, "The restore from Comet")


def _restore(settings: Settings, store: Store, outbox: Outbox, claimed: Claimed) -> None:
    at = NOTHING

    def report(now: Restoring) -> None:
        nonlocal at
        at = now
        store.notes.write(RESTORING, asdict(now))

    try:
        with held(outbox, claimed):
            restore(settings, store, since_days(settings.retention_days), report)
    except CometRejected as error:
        report(replace(at, sentence=str(error)))
        outbox.set_aside(claimed, str(error))
    except CometError as error:
        report(replace(at, sentence=str(error)))
        outbox.postpone(claimed, TRIES_AGAIN, str(error))
    except RecordsError:
        raise
    except Exception as error:
        log.exception("The restore from Comet failed.")
        report(replace(at, sentence=bug(error)))
        outbox.set_aside(claimed, bug(error))
    else:
        outbox.finish(claimed)
        store.notes.write(RESTORED, _place(settings))
