"""What there is to learn from: labelled pictures, each once, with the side it trains or judges on.

    source → what is labelled → one label a picture → readable, each once → side

Whatever is left out on the way is counted, under one of REASONS.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from finetune.data import sources, split
from finetune.data.sources import Found
from vibecheck.emotions import NAMES
from vibecheck.errors import LabelsError, PictureError
from vibecheck.records.labels import training_sets
from vibecheck.records.store import Store
from vibecheck.records.values import CANT_TELL
from vibecheck.settings import Settings
from vibecheck.vision.faces import Face
from vibecheck.vision.images import decode

REASONS = {
    "cant_tell": "nobody can tell the mood",
    "conflicting": "people disagree about the mood",
    "missing": "the picture is deleted",
    "unreadable": "the picture cannot be read",
    "no_face": "the picture shows no face, or several",
    "refused": "the line or folder cannot be used",
    "twice": "the same picture is there already",
}
# Pictures that are read at once: object storage is far, a disk does not mind.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture and the mood that it shows.

    `source` and `queue` say how it came to be labelled: by an audit, an import or the random queue if one
    of its labels did, else as the label that holds did. `picture` is a JPEG or PNG and `face` the face in
    it; None where it is a face crop already. `mood` and `model_version` are what was answered, None where
    no model was asked.
    """

    prediction_id: str
    label: str
    source: str
    queue: str | None
    visitor: str | None
    made_at: datetime
    picture: bytes
    side: str
    mood: str | None
    model_version: str | None
    face: Face | None = None

    @property
    def judges(self) -> bool:
        """Whether a model may be judged by it: held out, and labelled without looking at an answer."""
        return self.side == split.HELD_OUT and split.asked_at_random(self.source, self.queue)


@dataclass(frozen=True, slots=True)
class Collected:
    """The rows, oldest first, and how many were left out for each of REASONS.

    `by_visit` says that visits were split instead of visitors; `validation` are the ids of the train side
    that choose instead of training.
    """

    rows: tuple[Labelled, ...]
    left_out: dict[str, int]
    by_visit: bool
    validation: frozenset[str]

    @property
    def train(self) -> list[Labelled]:
        """What is learned from."""
        return [
            row for row in self.rows if row.side == split.TRAIN and row.prediction_id not in self.validation
        ]

    @property
    def valid(self) -> list[Labelled]:
        """What chooses among ways to train."""
        return [row for row in self.rows if row.prediction_id in self.validation]

    @property
    def held_out(self) -> list[Labelled]:
        """What is never trained on."""
        return [row for row in self.rows if row.side == split.HELD_OUT]

    @property
    def judging(self) -> list[Labelled]:
        """What may judge."""
        return [row for row in self.rows if row.judges]

    def by_class(self, rows: Iterable[Labelled] | None = None) -> dict[str, int]:
        """How many rows (of all, or of some) show each mood."""
        counts = Counter(row.label for row in (self.rows if rows is None else rows))
        return {name: counts[name] for name in NAMES}


def collect(
    settings: Settings,
    source: str,
    since: datetime | None = None,
    *,
    pictures: Path | None = None,
    crops: bool = False,
    keep_sides: bool = True,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Collected:
    """Everything labelled that `source` has: "store", "comet", a folder with a folder a mood, a CSV file.

    `since` leaves out what was made before. `pictures` and `crops` are for files and folders: where the
    pictures of a CSV file lie, and whether each is a face crop already. Unless `keep_sides`, nothing is
    noted in the records. `tell` is told how many pictures of how many were read. Raises LabelsError,
    RecordsError and CometError.
    """
    left_out: Counter[str] = Counter()
    store = Store.open(settings.records_url, settings.images_url)
    try:
        if source == "comet":
            sources.restore(settings, store)
        if source in ("store", "comet"):
            found = sources.from_store(store)
        else:
            found = sources.from_files(Path(source), pictures, crops, left_out)
        usable = _readable(_decided(found, left_out), left_out, tell)
        usable = _once(usable, left_out)
        known = {each.prediction_id for each in usable if each.side is None}
        drawn_before = training_sets.sides(store.engine, known) if source not in ("store", "comet") else {}
        usable = [replace(each, side=each.side or drawn_before.get(each.prediction_id)) for each in usable]
        rows = [split.Row(each.prediction_id, each.visitor, each.made_at, each.side) for each in usable]
        sides, by_visit = split.split(rows)
        if keep_sides:
            sides = training_sets.draw(store.engine, sides, datetime.now(UTC))
    finally:
        store.close()
    chosen = [
        _labelled(each, sides[each.prediction_id])
        for each in sorted(usable, key=lambda each: (each.made_at, each.prediction_id))
        if since is None or each.made_at >= since
    ]
    learning = [
        split.Row(row.prediction_id, row.visitor, row.made_at) for row in chosen if row.side == split.TRAIN
    ]
    valid = frozenset(split.validation(learning, by_visit))
    counted = {reason: left_out[reason] for reason in REASONS if left_out[reason]}
    return Collected(tuple(chosen), counted, by_visit, valid)


def check(collected: Collected) -> None:
    """Raises LabelsError where nothing can be learned from what was collected."""
    if not collected.rows:
        left = ", ".join(f"{count} because {REASONS[why]}" for why, count in collected.left_out.items())
        raise LabelsError(
            "There are no labelled pictures to learn from"
            + (f" ({left} left out)" if left else "")
            + ": correct some answers, label on the Corrections page, or name a folder with --source."
        )
    train = collected.by_class(collected.train)
    moods = [name for name, count in train.items() if count]
    if not moods:
        raise LabelsError(
            f"Each of the {len(collected.rows)} labelled pictures is of a visitor who is kept apart to judge "
            "models by, so there is nothing to learn from: let more people correct answers first."
        )
    if len(moods) < 2:
        raise LabelsError(
            f"There is only {moods[0]} among the {sum(train.values())} pictures to learn from: label "
            "pictures of two moods or more first."
        )
    if not collected.valid:
        raise LabelsError(
            f"{len(collected.rows)} labelled pictures are too few to learn from: label some more first."
        )


def _decided(found: Iterable[Found], left_out: Counter[str]) -> list[Found]:
    """Those whose mood is agreed on."""
    chosen = []
    for each in found:
        if each.label == CANT_TELL:
            left_out["cant_tell"] += 1
        elif each.disputed:
            left_out["conflicting"] += 1
        else:
            chosen.append(each)
    return chosen


def _readable(
    found: Sequence[Found], left_out: Counter[str], tell: Callable[[int, int], None]
) -> list[Found]:
    """Those whose picture is there and can be decoded, with the picture."""
    usable = []
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for number, (each, picture) in enumerate(zip(found, threads.map(_read, found), strict=True), 1):
            if isinstance(picture, bytes):
                usable.append(replace(each, picture=picture))
            else:
                left_out[picture or "missing"] += 1
            tell(number, len(found))
    return usable


def _read(found: Found) -> bytes | str | None:
    """The picture, None where it is gone, or the reason why it cannot be used."""
    try:
        picture = found.fetch()
        if picture is not None:
            decode(picture)
    except PictureError:
        return "unreadable"
    return picture


def _once(found: Iterable[Found], left_out: Counter[str]) -> list[Found]:
    """Each picture once, and not at all where it came with two moods."""
    same: dict[bytes, list[Found]] = defaultdict(list)
    for each in found:
        assert each.picture is not None
        same[hashlib.sha256(each.picture).digest()].append(each)
    chosen = []
    for copies in same.values():
        if len({each.label for each in copies}) > 1:
            left_out["conflicting"] += len(copies)
            continue
        # A copy that has a side already speaks for the rest.
        copies.sort(key=lambda each: (each.side is None, each.made_at, each.prediction_id))
        chosen.append(copies[0])
        left_out["twice"] += len(copies) - 1
    return chosen


def _labelled(found: Found, side: str) -> Labelled:
    assert found.picture is not None
    return Labelled(
        found.prediction_id,
        found.label,
        found.source,
        found.queue,
        found.visitor,
        found.made_at,
        found.picture,
        side,
        found.mood,
        found.model_version,
        found.face,
    )
