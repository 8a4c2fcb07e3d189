"""Reads what Comet remembers back into the store: the newest day first, numbers before pictures.

The registry of models comes first of all: it is small, and names the champion.

A day's records come with one list of its assets, so history costs a request a day. Pictures come one
by one, after all the numbers are there, and those that are here already are not asked for. So it may
be stopped and started again at any time.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from vibecheck.comet.client import Comet
from vibecheck.comet.day import read_day
from vibecheck.comet.layout import Asset, day_of
from vibecheck.comet.registry_sync import restore_models
from vibecheck.comet.rollup import needs_rollup
from vibecheck.comet.status import Restoring
from vibecheck.errors import CometRejected
from vibecheck.records.db.transactions import writing
from vibecheck.records.merge import Merged, merge, with_pictures
from vibecheck.records.outbox import queue
from vibecheck.records.store import Store

# Pictures that are fetched at once: enough to hide the way to Comet and back, too few to be a burden.
AT_ONCE = 4
PICTURES = 100
# A face of 320 px is some 20 KB; what is much larger is not one of ours.
LARGEST_PICTURE = 2_000_000

NOTHING = Restoring(0, 0, 0, 0, 0, 0, done=False)


@dataclass(frozen=True, slots=True)
class _Picture:
    day: date
    prediction_id: str
    asset: Asset


def restore(
    comet: Comet, store: Store, since: datetime, say: Callable[[Restoring], None] = lambda _: None
) -> Restoring:
    """Merges into the store what Comet has of models, and of predictions made at or after `since`.

    `say` is told after each step how far it is. Raises CometError and RecordsError; what was read
    before stays.
    """
    restore_models(comet, store.engine)
    days = [day for day in comet.days() if day >= day_of(since)]
    at = replace(NOTHING, days=len(days))
    say(at)
    pictures: list[_Picture] = []
    for day in days:
        merged, found = _restore_day(comet, store, day, since)
        pictures += found
        at = replace(
            at,
            days_read=at.days_read + 1,
            predictions=at.predictions + merged.predictions,
            labels=at.labels + merged.labels,
            pictures_left=len(pictures),
        )
        say(at)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for start in range(0, len(pictures), PICTURES):
            some = pictures[start : start + PICTURES]
            missing = _missing(store, some)
            fetched = sum(threads.map(lambda picture: _fetch(comet, store, picture), missing))
            at = replace(at, pictures=at.pictures + fetched, pictures_left=at.pictures_left - len(some))
            say(at)
    at = replace(at, done=True)
    say(at)
    return at


def since_days(days: int) -> datetime:
    """The moment `days` days ago."""
    return datetime.now(UTC) - timedelta(days=days)


def _restore_day(comet: Comet, store: Store, day: date, since: datetime) -> tuple[Merged, list[_Picture]]:
    assets = comet.assets(day)
    read = read_day(assets)
    found = [each for each in read.found() if each.prediction.made_at >= since]
    merged = merge(store.engine, found)
    if day < day_of(datetime.now(UTC)) and needs_rollup(assets):
        with writing(store.engine) as connection:  # whoever should have done it lost the task with its disk
            subject = day.isoformat()
            queue.schedule(connection, queue.ROLLUP, subject, {"day": subject}, queue.moment(connection))
    ids = [each.prediction.id for each in found if each.prediction.id in read.pictures]
    return merged, [_Picture(day, each, replace(read.pictures[each], metadata={})) for each in ids]


def _missing(store: Store, pictures: list[_Picture]) -> Iterator[_Picture]:
    allowed = with_pictures(store.engine, [picture.prediction_id for picture in pictures])
    for picture in pictures:
        if picture.prediction_id in allowed and not store.images.exists(picture.prediction_id):
            yield picture


def _fetch(comet: Comet, store: Store, picture: _Picture) -> bool:
    """Fetches one picture; whether it is kept now."""
    try:
        jpeg = comet.get(picture.day, picture.asset)
    except CometRejected:  # deleted since the list was made
        return False
    if not jpeg.startswith(b"\xff\xd8") or len(jpeg) > LARGEST_PICTURE:
        return False
    store.images.put(picture.prediction_id, jpeg)
    # Deleted here meanwhile: whoever did so may have looked for the picture before it was there.
    if not with_pictures(store.engine, [picture.prediction_id]):
        store.images.delete(picture.prediction_id)
        return False
    return True
