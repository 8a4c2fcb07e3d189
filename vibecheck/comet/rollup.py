"""Rolls up a day in Comet: feedback_log.csv, a count of each mood, and removal of duplicates."""

import hashlib
import json
from collections import Counter
from datetime import UTC, date, datetime

from vibecheck.comet import feedback_log
from vibecheck.comet.client import Comet
from vibecheck.comet.day import read_day
from vibecheck.comet.layout import FEEDBACK_LOG, SIDE_NAME, Asset
from vibecheck.emotions import NAMES
from vibecheck.records.labels.effective_label import effective_label


def roll_up(comet: Comet, day: date) -> None:
    """Brings a day's feedback_log.csv and counts up to date with its other assets. Raises CometError."""
    assets = comet.assets(day)
    _remove_copies(comet, day, assets)
    found = read_day(assets).found()
    rows = (feedback_log.row(each.prediction, effective_label(each.feedback)) for each in reversed(found))
    content = "".join(feedback_log.lines(rows)).encode()
    digest = hashlib.sha256(content).hexdigest()
    logs = [asset for asset in assets if asset.name == FEEDBACK_LOG]
    current = [asset for asset in logs if asset.metadata.get("sha256") == digest]
    if not current and (found or logs):
        moods = Counter(each.prediction.mood for each in found)
        counts = {f"count_{name}": moods[name] for name in NAMES}
        before = max(logs, key=lambda asset: asset.created_at).metadata if logs else {}
        comet.put(day, FEEDBACK_LOG, content, {"sha256": digest, "rows": len(found)} | counts, "asset")
        for name, count in counts.items():
            if before.get(name, 0) != count:
                comet.metric(day, name, count, datetime.now(UTC))
    for asset in logs:
        if asset not in current[:1]:
            comet.delete(day, asset)


def needs_rollup(assets: list[Asset]) -> bool:
    """Whether a day has assets newer than its last feedback_log.csv."""
    logged = max((asset.created_at for asset in assets if asset.name == FEEDBACK_LOG), default=None)
    others = [
        asset.created_at
        for asset in assets
        if asset.name != FEEDBACK_LOG and not SIDE_NAME.fullmatch(asset.name)  # which it does not tell
    ]
    return bool(others) and (logged is None or max(others) > logged)


def _remove_copies(comet: Comet, day: date, assets: list[Asset]) -> None:
    """Deletes duplicates with the same content; the first of each stays."""
    seen: set[tuple[str, str]] = set()
    for asset in sorted(assets, key=lambda each: (each.created_at, each.id)):
        if asset.name == FEEDBACK_LOG:
            continue
        content = asset.name, json.dumps(asset.metadata, sort_keys=True)
        if content in seen:
            comet.delete(day, asset)
        seen.add(content)
