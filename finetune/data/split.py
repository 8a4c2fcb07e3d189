"""Which pictures train a model and which judge it: never the same person's on both sides, and for ever.

A fifth of the visitors, chosen by a hash of their id, are held out. So whoever comes again is on the same
side, whatever else was collected meanwhile. With fewer than ten visitors a fifth of them is nobody or
one person, so then the visits are split instead.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TRAIN, HELD_OUT = "train", "held_out"
HELD_OUT_SHARE = 0.2
# Of what is trained on, the part that chooses when to stop and how much of what was learned to keep.
VALIDATION_SHARE, VALIDATION_MOST = 0.2, 0.35
FEWEST_VISITORS = 10
# A visit is over when nothing was checked for so long.
VISIT_GAP = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled prediction. `side` is the one it was given before, or None; `visitor` may be unknown."""

    prediction_id: str
    visitor: str | None
    made_at: datetime
    side: str | None = None


def asked_at_random(source: str, queue: str | None) -> bool:
    """Whether a label was asked for without looking at any model's answer: only such labels may judge."""
    return source in ("audit", "import") or (source == "labeller" and queue == "random")


def split(rows: Sequence[Row]) -> tuple[dict[str, str], bool]:
    """The side of each row by its prediction's id, and whether visits were split instead of visitors.

    A side that a row has already stays. The others follow those of the same visitor (or visit): if any
    was trained on, all are; else if any was held out, all are; else a hash decides. A row without a
    visitor counts for itself.
    """
    by_visit = len({row.visitor for row in rows if row.visitor is not None}) < FEWEST_VISITORS
    sides = {}
    for unit, members in _groups(rows, by_visit):
        known = {row.side for row in members if row.side is not None}
        if known:
            theirs = TRAIN if TRAIN in known else HELD_OUT
        else:
            theirs = _drawn(unit)
        for row in members:
            sides[row.prediction_id] = row.side or theirs
    return sides, by_visit


def validation(rows: Sequence[Row], by_visit: bool) -> set[str]:
    """The ids of those rows, all of the train side, that choose among ways to train instead of training.

    About a fifth of the rows, whole visitors (or visits), in the order of a hash; so the same rows give the
    same part. A unit with too many rows is passed over, and where every unit is, rows are taken singly.
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


def _drawn(unit: str) -> str:
    """The side of a visitor or visit of which nothing has a side yet."""
    return HELD_OUT if _number(f"side of {unit}") < HELD_OUT_SHARE * 2**64 else TRAIN


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def _groups(rows: Iterable[Row], by_visit: bool) -> list[tuple[str, list[Row]]]:
    return _visits(rows) if by_visit else _visitors(rows)


def _visitors(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.visitor or row.prediction_id, []).append(row)
    return list(groups.items())


def _visits(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """Each visitor's rows, cut where nothing happened for VISIT_GAP; a visit is named by its first row."""
    groups = []
    for _, theirs in _visitors(rows):
        visit: list[Row] = []
        for row in sorted(theirs, key=lambda each: (each.made_at, each.prediction_id)):
            if visit and row.made_at - visit[-1].made_at > VISIT_GAP:
                groups.append((visit[0].prediction_id, visit))
                visit = []
            visit.append(row)
        groups.append((visit[0].prediction_id, visit))
    return groups
