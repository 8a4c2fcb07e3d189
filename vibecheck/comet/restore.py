"""Restores the records from Comet: the registry of models, then predictions, newest day first, then pictures.

`run` does so when the outbox asks for it, in a thread beside the sender. A day's records come with one list
of its assets, so history costs one request per day. Pictures are downloaded one by one at the end, and only
those that are missing, so a restore may be stopped and started again at any time.
"""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

from vibecheck.comet.claims import bug, handle_all, held
from vibecheck.comet.client import Comet
from vibecheck.comet.day_records import read_day
from vibecheck.comet.layout import Asset, day_of
from vibecheck.comet.registry_sync import restore_models
from vibecheck.comet.rollup import delete_forgotten, needs_rollup
from vibecheck.comet.status import RESTORED, RESTORING, Restoring
from vibecheck.errors import CometError, CometRejected, RecordsError
from vibecheck.models.registry import Registry
from vibecheck.records.db.batches import batches
from vibecheck.records.merge import Merged
from vibecheck.records.outbox import queue
from vibecheck.records.outbox.queue import RESTORE, Claimed, Outbox
from vibecheck.records.store import Store
from vibecheck.settings import Settings

# Concurrent downloads: enough to hide the latency, few enough not to burden Comet.
AT_ONCE = 4
# Pictures that are looked for and downloaded between two reports of the progress.
BATCH = 100
# A face of 320 px is about 20 KB; anything much larger is not ours.
LARGEST_PICTURE = 2_000_000
TRIES_AGAIN = timedelta(seconds=30)

log = logging.getLogger(__name__)


def begin_once(settings: Settings, store: Store) -> None:
    """Schedules a restore unless one from the same place was completed. Raises RecordsError."""
    note = store.notes.read(RESTORED)
    if store.synthetic():  # which takes no real records
        return
    if note is None or note.content != _place(settings):
        store.outbox().schedule(RESTORE, RESTORE, {})


def run(settings: Settings, store: Store, stop: threading.Event) -> None:
    """Runs the restores in the outbox until `stop` is set."""
    outbox = store.outbox()
    handle_all(outbox, RESTORE, partial(_attempt, settings, store, outbox), stop, "The restore from Comet")


def _place(settings: Settings) -> dict[str, str]:
    return {
        "workspace": settings.comet_workspace or "",
        "project": settings.comet_project_name,
        "deployment": settings.deployment,
    }


def _attempt(settings: Settings, store: Store, outbox: Outbox, claimed: Claimed) -> None:
    at = Restoring()

    def failed(sentence: str) -> None:
        store.notes.write(RESTORING, asdict(replace(at, sentence=sentence)))

    try:
        with held(outbox, claimed):
            for at in _restore(settings, store):
                store.notes.write(RESTORING, asdict(at))
    except CometRejected as error:
        failed(str(error))
        outbox.set_aside(claimed, str(error))
    except CometError as error:
        failed(str(error))
        outbox.postpone(claimed, TRIES_AGAIN, str(error))
    except RecordsError as error:  # tried again when the claim expires
        failed(str(error))
        raise
    except Exception as error:
        log.exception("The restore from Comet failed.")
        failed(bug(error))
        outbox.set_aside(claimed, bug(error))
    else:
        outbox.finish(claimed)
        store.end_of_restore()
        store.notes.write(RESTORED, _place(settings))


def restore(settings: Settings, store: Store) -> Iterator[Restoring]:
    """Merges Comet's models, and its predictions of the last `retention_days`, into the records.

    Yields its progress. A task in the outbox tells other processes of it; if this one is killed, the app
    continues. Raises CometError and RecordsError; what was merged before that stays.
    """
    outbox = store.outbox()
    claimed = outbox.begin(RESTORE)
    try:
        with held(outbox, claimed):
            yield from _restore(settings, store)
    finally:
        store.forget_restored(datetime.now(UTC))  # it may have been stopped before it did that itself
        outbox.finish(claimed)
        store.end_of_restore()


def _restore(settings: Settings, store: Store) -> Iterator[Restoring]:
    since = datetime.now(UTC) - timedelta(days=settings.retention_days)
    comet = Comet.open(settings)
    with Registry.open(settings) as registry:
        restore_models(comet, registry)
    days = [day for day in comet.days() if day >= day_of(since)]
    at = Restoring(days=len(days))
    yield at
    pictures: dict[str, tuple[date, Asset]] = {}
    for day in days:
        merged, found, refused = _restore_day(comet, store, day, since)
        pictures |= {each: (day, replace(asset, metadata={})) for each, asset in found.items()}
        for name, reason in refused.items():
            log.warning("%s of %s in Comet cannot be used: %s", name, day, reason)
        at = replace(
            at,
            days_read=at.days_read + 1,
            predictions=at.predictions + merged.predictions,
            labels=at.labels + merged.labels,
            pictures_left=len(pictures),
            refused=at.refused + len(refused),
            reason=next((f"{name}: {reason}" for name, reason in refused.items()), at.reason),
        )
        yield at
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for some in batches(pictures, BATCH):
            allowed = store.with_pictures(some)
            missing = [each for each in some if each in allowed and not store.pictures.exists(each)]
            if missing and not store.pictures.has_room():
                raise RecordsError("The disk is nearly full: free some space, then the restore continues.")
            outcomes = list(threads.map(lambda each: _fetch(comet, store, each, *pictures[each]), missing))
            reasons = [outcome for outcome in outcomes if isinstance(outcome, str)]
            at = replace(
                at,
                pictures=at.pictures + outcomes.count(True),
                pictures_left=at.pictures_left - len(some),
                refused=at.refused + len(reasons),
                reason=next(iter(reasons), at.reason),
            )
            yield at
    yield replace(at, done=True)


def _restore_day(
    comet: Comet, store: Store, day: date, since: datetime
) -> tuple[Merged, dict[str, Asset], dict[str, str]]:
    """Merges one day; returns what was new, its pictures by prediction, and why assets could not be used."""
    assets = comet.assets(day)
    deleted_again = delete_forgotten(comet, store, day, assets)
    read = read_day(assets)
    found = [each for each in read.found() if each.prediction.made_at >= since]
    merged = store.merge(found)
    store.forget_restored(datetime.now(UTC))
    if deleted_again or needs_rollup(assets):
        # The task was lost together with the disk.
        store.outbox().schedule(queue.ROLLUP, day.isoformat(), {"day": day.isoformat()})
    ids = [each.prediction.id for each in found if each.prediction.id in read.pictures]
    return merged, {each: read.pictures[each] for each in ids}, read.refused


def _fetch(comet: Comet, store: Store, prediction_id: str, day: date, asset: Asset) -> bool | str:
    """Downloads one picture; returns whether it is kept now, or why it cannot be."""
    try:
        jpeg = comet.get(day, asset, LARGEST_PICTURE)
    except CometRejected as error:  # too large, or deleted since the list was made
        return str(error)
    if not jpeg.startswith(b"\xff\xd8"):
        return f"{asset.name} is not a JPEG."
    store.pictures.put(prediction_id, jpeg)
    # If it was deleted meanwhile, the deletion may have looked for the picture before it was written.
    if not store.with_pictures([prediction_id]):
        store.pictures.delete(prediction_id)
        return False
    return True
