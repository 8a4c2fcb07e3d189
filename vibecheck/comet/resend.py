"""Finds records that Comet does not have, although they were sent, and adds them to the outbox again."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from itertools import chain, groupby

from vibecheck.comet import layout
from vibecheck.comet.client import Comet
from vibecheck.comet.layout import Asset
from vibecheck.models.registry import Registry
from vibecheck.records.outbox.messages import Message, row_of
from vibecheck.records.store import Store
from vibecheck.records.values import Prediction
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
    with Registry.open(settings) as registry:
        added += _add_missing(store, reversed(registry.promotions()), comet.assets(layout.MODELS))
        registry.enqueue_all()
    return added


def count_missing(comet: Comet, store: Store) -> dict[str, int]:
    """Checks a sample of predictions: how many (`checked`), and how many of them Comet lacks (`missing`).

    Raises CometError and RecordsError.
    """
    sample = [] if store.synthetic() else store.sent.sample(SAMPLE)
    missing = sum(
        _is_missing(store, each, partial(comet.has, layout.day_of(each.made_at))) for each in sample
    )
    return {"checked": len(sample), "missing": missing}


def _add_missing(store: Store, messages: Iterable[Message], assets: list[Asset]) -> int:
    """Adds those messages to the outbox for which there is no asset; returns how many."""
    names = {asset.name for asset in assets}
    return store.outbox().add_again(
        [row_of(each) for each in messages if _is_missing(store, each, names.__contains__)]
    )


def _is_missing(store: Store, message: Message, has: Callable[[str], bool]) -> bool:
    """Whether Comet lacks what would be sent; `has` says whether it has an asset of a name."""
    row = row_of(message)
    if has(layout.name_of(row["kind"], row["payload"])):
        return False
    if isinstance(message, Prediction) and message.picture_kept and not store.pictures.exists(message.id):
        return not has(layout.prediction_name(message.id, picture=False))  # the picture is lost here
    return True
