"""Rolls up a day in Comet: feedback_log.csv, a count of each mood, and removal of duplicates."""

import hashlib
import json
from collections import Counter
from datetime import UTC, date, datetime

from vibecheck.comet import feedback_log
from vibecheck.comet.client import Comet
from vibecheck.comet.day_records import read_day
from vibecheck.comet.layout import FEEDBACK_LOG, PREDICTION_NAME, SIDE_NAME, Asset, id_of
from vibecheck.emotions import NAMES
from vibecheck.records.labels.effective_label import effective_label
from vibecheck.records.store import Store


def roll_up(comet: Comet, store: Store, day: date) -> None:
    """Brings a day's feedback_log.csv and counts up to date with its other assets.

    Deleted records that are still there are deleted again. Raises CometError and RecordsError.
    """
    assets = comet.assets(day)
    deleted = delete_forgotten(comet, store, day, assets)
    assets = [asset for asset in assets if asset not in deleted]
    _remove_duplicates(comet, day, assets)
    found = read_day(assets).found()
    labelled = ((each.prediction, effective_label(each.feedback)) for each in reversed(found))
    content = "".join(feedback_log.lines(labelled)).encode()
    digest = hashlib.sha256(content).hexdigest()
    logs = [asset for asset in assets if _is_log(asset)]
    current = [asset for asset in logs if asset.metadata.get("sha256") == digest]
    if not current and (found or logs):
        moods = Counter(each.prediction.mood for each in found)
        counts = {f"count_{name}": moods[name] for name in NAMES}
        before = max(logs, key=lambda asset: asset.created_at).metadata if logs else {}
        # The counts first: once the log is there, an interrupted roll-up counts as complete.
        for name, count in counts.items():
            if before.get(name, 0) != count:
                comet.metric(day, name, count, datetime.now(UTC))
        comet.put(day, FEEDBACK_LOG, content, {"sha256": digest, "rows": len(found)} | counts, "asset")
    comet.delete(day, *(asset for asset in logs if asset not in current[:1]))


def needs_rollup(assets: list[Asset]) -> bool:
    """Whether a day has assets newer than its last feedback_log.csv, or another number of predictions."""
    logs = [asset for asset in assets if _is_log(asset)]
    others = [
        asset.created_at
        for asset in assets
        if id_of(asset.name) and not SIDE_NAME.fullmatch(asset.name)  # the log has no sides
    ]
    if not logs:
        return bool(others)
    last = max(logs, key=lambda asset: asset.created_at)
    made = {id_of(asset.name) for asset in assets if PREDICTION_NAME.fullmatch(asset.name)}
    return max(others, default=0) > last.created_at or last.metadata.get("rows", len(made)) != len(made)


def delete_forgotten(comet: Comet, store: Store, day: date, assets: list[Asset]) -> list[Asset]:
    """Deletes the assets of predictions that were deleted here; returns them.

    They are still there if Comet did not list them at the deletion.
    """
    forgotten = store.forgotten_among({each for asset in assets if (each := id_of(asset.name))})
    found = [asset for asset in assets if id_of(asset.name) in forgotten]
    comet.delete(day, *found)
    return found


def _is_log(asset: Asset) -> bool:
    """Whether it is a feedback_log.csv that was written here."""
    return asset.name == FEEDBACK_LOG and "sha256" in asset.metadata


def _remove_duplicates(comet: Comet, day: date, assets: list[Asset]) -> None:
    """Deletes records that arrived twice with the same content; the first of each stays."""
    seen: set[tuple[str, str]] = set()
    for asset in sorted(assets, key=lambda each: (each.created_at, each.id)):
        if id_of(asset.name) is None:  # somebody else's
            continue
        content = asset.name, json.dumps(asset.metadata, sort_keys=True)
        if content in seen:
            comet.delete(day, asset)
        seen.add(content)
