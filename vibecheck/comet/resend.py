"""Finds records that Comet does not have, although they were sent, and adds them to the outbox again."""

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from itertools import chain, groupby

from vibecheck.comet import layout
from vibecheck.comet.client import Comet
from vibecheck.comet.layout import Asset
from vibecheck.models.registry import Registry
from vibecheck.records.outbox.messages import Message, row_of
from vibecheck.records.store import Store
from vibecheck.settings import Settings

# Records that are looked up in Comet once a day.
SAMPLE = 20


def send_again(settings: Settings, store: Store, since: datetime | None) -> int:
    """Adds predictions made at or after `since` that Comet lacks to the outbox, and all models.

    Returns how many records were added, without models. Raises CometError and RecordsError.
    """
    comet = Comet.open(settings)
    added = 0
    sent = store.sent.messages(since)
    for day, found in groupby(sent, key=lambda each: layout.day_of(each[0].made_at)):
        messages = chain.from_iterable(messages for _, messages in found)
        added += _add_missing(store, messages, comet.assets(day))
    with closing(Registry.open(settings)) as registry:
        added += _add_missing(store, reversed(registry.promotions()), comet.assets(layout.MODELS))
        registry.enqueue_all()
    return added


def count_missing(comet: Comet, store: Store) -> dict[str, int]:
    """Looks up some predictions that were sent: how many (`checked`), and how many Comet lacks (`missing`).

    Raises CometError and RecordsError.
    """
    sample = store.sent.sample(SAMPLE)
    missing = sum(
        not comet.has(layout.day_of(each.made_at), layout.prediction_name(each.id, each.picture_kept))
        for each in sample
    )
    return {"checked": len(sample), "missing": missing}


def _add_missing(store: Store, messages: Iterable[Message], assets: list[Asset]) -> int:
    """Adds those messages to the outbox for which there is no asset; returns how many."""
    names = {asset.name for asset in assets}
    rows = map(row_of, messages)
    return store.outbox().add_again(
        [row for row in rows if layout.name_of(row["kind"], row["payload"]) not in names]
    )
