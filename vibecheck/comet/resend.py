"""Finds records that Comet does not have, although they were sent, and adds them to the outbox again."""

from contextlib import closing
from datetime import datetime
from itertools import groupby

from vibecheck.comet import layout
from vibecheck.comet.client import Comet
from vibecheck.models.registry import Registry
from vibecheck.records.outbox.messages import payload_of
from vibecheck.records.outbox.sent import SentMessage
from vibecheck.records.store import Store
from vibecheck.records.values import Feedback, Play, Prediction, SideDrawn
from vibecheck.settings import Settings

# Records that are looked up in Comet once a day.
SAMPLE = 20


def send_again(settings: Settings, store: Store, since: datetime | None = None) -> int:
    """Adds predictions made at or after `since` that Comet lacks to the outbox, and all models.

    Returns how many records were added, without models. Raises CometError and RecordsError.
    """
    comet = Comet.open(settings)
    added = 0
    sent = store.sent.messages(since)
    for day, predictions in groupby(sent, key=lambda found: layout.day_of(found[0].made_at)):
        names = {asset.name for asset in comet.assets(day)}
        missing = [
            message for _, messages in predictions for message in messages if _name_of(message) not in names
        ]
        added += store.outbox().add_again(missing)
    with closing(Registry.open(settings)) as registry:
        promoted = {asset.name for asset in comet.assets(layout.MODELS)}
        added += store.outbox().add_again(
            [
                promotion
                for promotion in reversed(registry.promotions())
                if layout.promotion_name(payload_of(promotion)) not in promoted
            ]
        )
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


def _name_of(message: SentMessage) -> str:
    match message:
        case Prediction():
            return layout.prediction_name(message.id, message.picture_kept)
        case Feedback():
            return layout.part_name("feedback", message.prediction_id, message.n)
        case Play():
            return layout.part_name("play", message.prediction_id, message.n)
        case SideDrawn():
            return layout.side_name(message.prediction_id)
