"""The train/held-out split: by visitor, permanent, the same on every machine.

A fifth of the visitors, chosen by a hash of their id, are held out, so a visitor who returns stays on the
same side. With fewer than ten visitors a fifth would be nobody or one person: then visits are split
instead of visitors.
"""

import hashlib
from collections.abc import Sequence

from vibecheck.records.labels.labelled import HELD_OUT, TRAIN, LabelledPicture
from vibecheck.records.labels.visitor_groups import few_visitors, groups

HELD_OUT_SHARE = 0.2
# Of the train side, the part that decides early stopping and the mix of old and new weights.
VALIDATION_SHARE, VALIDATION_MOST = 0.2, 0.35


def split(rows: Sequence[LabelledPicture]) -> tuple[dict[str, str], bool]:
    """The side of each row by its prediction's id, and whether visits were split instead of visitors.

    A side that is assigned already stays. The others follow the same visitor's (or visit's): TRAIN if any
    of those is TRAIN, else HELD_OUT if any is; else a hash decides. A row without a visitor is a visitor
    of its own.
    """
    by_visit = few_visitors(rows)
    sides = {}
    for unit, members in groups(rows, by_visit):
        known = {row.side for row in members if row.side is not None}
        if known:
            theirs = TRAIN if TRAIN in known else HELD_OUT
        else:
            theirs = HELD_OUT if _number(f"side of {unit}") < HELD_OUT_SHARE * 2**64 else TRAIN
        for row in members:
            sides[row.prediction_id] = row.side or theirs
    return sides, by_visit


def validation(rows: Sequence[LabelledPicture], by_visit: bool) -> set[str]:
    """The ids of the validation set within `rows`, which are all training rows.

    About a fifth of the rows: whole visitors (or visits) in the order of a hash, so that the same rows give
    the same part. A unit with too many rows is skipped; if every unit is, single rows are taken.
    """
    wanted, most = round(VALIDATION_SHARE * len(rows)), VALIDATION_MOST * len(rows)
    single = [(row.prediction_id, [row]) for row in rows]
    for parts in (groups(rows, by_visit), single):
        chosen: set[str] = set()
        for _, members in sorted(parts, key=lambda group: _number(f"validation of {group[0]}")):
            if len(chosen) < wanted and len(chosen) + len(members) <= most:
                chosen.update(row.prediction_id for row in members)
        if len(chosen) >= wanted / 2:
            break
    return chosen


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
