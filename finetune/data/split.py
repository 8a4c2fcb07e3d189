"""The train/held-out split: by visitor, permanent, the same on every machine.

A fifth of the visitors, chosen by a hash of their id, are held out, so a visitor who returns stays on the
same side. With fewer than ten visitors a fifth would be nobody or one person: then visits are split
instead of visitors.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta

from vibecheck.records.labels.labelled import HELD_OUT, TRAIN, LabelledPicture

HELD_OUT_SHARE = 0.2
# Of the train side, the part that decides early stopping and the mix of old and new weights.
VALIDATION_SHARE, VALIDATION_MOST = 0.2, 0.35
FEWEST_VISITORS = 10
# A visit ends after this long without a vibe check.
VISIT_GAP = timedelta(minutes=30)


def split(rows: Sequence[LabelledPicture]) -> tuple[dict[str, str], bool]:
    """The side of each row by its prediction's id, and whether visits were split instead of visitors.

    A side that is assigned already stays. The others follow the same visitor's (or visit's): TRAIN if any
    of those is TRAIN, else HELD_OUT if any is; else a hash decides. A row without a visitor is a visitor
    of its own.
    """
    by_visit = _few_visitors(rows)
    sides = {}
    for unit, members in _groups(rows, by_visit):
        known = {row.side for row in members if row.side is not None}
        if known:
            theirs = TRAIN if TRAIN in known else HELD_OUT
        else:
            theirs = _side_of(unit)
        for row in members:
            sides[row.prediction_id] = row.side or theirs
    return sides, by_visit


def units(rows: Sequence[LabelledPicture]) -> dict[str, str]:
    """Who each row is of, by its prediction's id: a visitor, or a visit where there are few visitors."""
    by_visit = _few_visitors(rows)
    return {row.prediction_id: unit for unit, members in _groups(rows, by_visit) for row in members}


def validation(rows: Sequence[LabelledPicture], by_visit: bool) -> set[str]:
    """The ids of the validation part of `rows`, which are all of the train side.

    About a fifth of the rows: whole visitors (or visits) in the order of a hash, so that the same rows give
    the same part. A unit with too many rows is skipped; where every unit is, rows are taken singly.
    """
    wanted, most = round(VALIDATION_SHARE * len(rows)), VALIDATION_MOST * len(rows)
    singly = [(row.prediction_id, [row]) for row in rows]
    for groups in (_groups(rows, by_visit), singly):
        chosen: set[str] = set()
        for _, members in sorted(groups, key=lambda group: _number(f"validation of {group[0]}")):
            if len(chosen) < wanted and len(chosen) + len(members) <= most:
                chosen.update(row.prediction_id for row in members)
        if len(chosen) >= wanted / 2:
            break
    return chosen


def _few_visitors(rows: Iterable[LabelledPicture]) -> bool:
    return len({row.visitor for row in rows if row.visitor is not None}) < FEWEST_VISITORS


def _side_of(unit: str) -> str:
    """The side of a visitor or visit that has none yet."""
    return HELD_OUT if _number(f"side of {unit}") < HELD_OUT_SHARE * 2**64 else TRAIN


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def _groups(rows: Iterable[LabelledPicture], by_visit: bool) -> list[tuple[str, list[LabelledPicture]]]:
    return _visits(rows) if by_visit else _visitors(rows)


def _visitors(rows: Iterable[LabelledPicture]) -> list[tuple[str, list[LabelledPicture]]]:
    groups: dict[str, list[LabelledPicture]] = {}
    for row in rows:
        groups.setdefault(row.visitor or row.prediction_id, []).append(row)
    return list(groups.items())


def _visits(rows: Iterable[LabelledPicture]) -> list[tuple[str, list[LabelledPicture]]]:
    """Each visitor's rows, split at gaps of more than VISIT_GAP; a visit is named by its first row."""
    groups = []
    for _, theirs in _visitors(rows):
        visit: list[LabelledPicture] = []
        for row in sorted(theirs, key=lambda each: (each.made_at, each.prediction_id)):
            if visit and row.made_at - visit[-1].made_at > VISIT_GAP:
                groups.append((visit[0].prediction_id, visit))
                visit = []
            visit.append(row)
        groups.append((visit[0].prediction_id, visit))
    return groups
