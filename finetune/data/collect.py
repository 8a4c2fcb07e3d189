"""The labelled pictures of a source, each once, assigned to training or to the held-out set.

    source → agreed label → readable picture → duplicates removed → train/held-out split

Everything left out on the way is counted under one of REASONS.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from finetune.data import sources, split
from vibecheck.cli.records import open_store
from vibecheck.comet.restore import restore
from vibecheck.emotions import NAMES
from vibecheck.errors import LabelsError, PictureError
from vibecheck.records.labels.labelled import HELD_OUT, TRAIN, LabelledPicture
from vibecheck.records.pictures import Pictures
from vibecheck.records.values import CANT_TELL
from vibecheck.settings import Settings
from vibecheck.vision.images import decode

REASONS = {
    "cant_tell": "nobody can tell the mood",
    "conflicting": "people disagree about the mood",
    "missing": "the picture is deleted",
    "unreadable": "the picture cannot be read",
    "no_face": "the picture shows no face, or several",
    "refused": "the line or folder cannot be used",
    "twice": "the same picture is already there",
}
# Sources whose pictures belong to predictions.
RECORDED = ("store", "comet")
# Concurrent reads: object storage has a high latency.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The rows, oldest first, and how many were left out for each of REASONS.

    `by_visit`: visits were split instead of visitors. `validation` are the training ids used for validation.
    """

    rows: tuple[LabelledPicture, ...]
    left_out: dict[str, int]
    by_visit: bool
    validation: frozenset[str]

    @property
    def train(self) -> list[LabelledPicture]:
        return [row for row in self.rows if row.side == TRAIN and row.prediction_id not in self.validation]

    @property
    def valid(self) -> list[LabelledPicture]:
        return [row for row in self.rows if row.prediction_id in self.validation]

    @property
    def held_out(self) -> list[LabelledPicture]:
        """The held-out side, which is never trained on."""
        return [row for row in self.rows if row.side == HELD_OUT]

    @property
    def judging(self) -> list[LabelledPicture]:
        """The held-out pictures that may judge models."""
        return [row for row in self.rows if row.judges]

    def by_class(self) -> dict[str, int]:
        """How many rows show each mood."""
        counts = Counter(row.label for row in self.rows)
        return {name: counts[name] for name in NAMES}


def collect(
    settings: Settings,
    source: str,
    since: datetime | None = None,
    *,
    pictures: Path | None = None,
    crops: bool = False,
    keep_sides: bool = True,
) -> TrainingData:
    """All labelled pictures of `source`: "store", "comet", a folder with a folder for each mood, a CSV file.

    `since` excludes what was made before. `pictures` and `crops` are for files and folders: the folder of a
    CSV file's pictures, and whether each is a face crop. With `keep_sides`, the train/held-out assignment is
    stored in the records. Raises LabelsError, RecordsError and CometError.
    """
    left_out: Counter[str] = Counter()
    with open_store(settings) as store:
        if source == "comet":
            for _ in restore(settings, store):
                pass
        if source in RECORDED:
            found = list(map(sources.of_prediction, store.training_sets.labelled()))
        else:
            found = sources.from_files(Path(source), pictures, crops, left_out)
        usable = _unique(_readable(_agreed(found, left_out), store.pictures, left_out), left_out)
        if source not in RECORDED:
            before = store.training_sets.sides([each.prediction_id for each in usable])
            usable = [replace(each, side=before.get(each.prediction_id)) for each in usable]
        sides, by_visit = split.split(usable)
        sides |= {copy: sides[each.prediction_id] for each in usable for copy in each.copies}
        if keep_sides:
            sides = store.training_sets.assign(sides, datetime.now(UTC))
    chosen = [
        replace(each, side=sides[each.prediction_id])
        for each in sorted(usable, key=lambda each: (each.made_at, each.prediction_id))
        if since is None or each.made_at >= since
    ]
    valid = frozenset(split.validation([row for row in chosen if row.side == TRAIN], by_visit))
    counted = {reason: left_out[reason] for reason in REASONS if left_out[reason]}
    return TrainingData(tuple(chosen), counted, by_visit, valid)


def check(collected: TrainingData) -> None:
    """Raises LabelsError where this is not enough to train on."""
    if not collected.rows:
        left = ", ".join(f"{count} because {REASONS[why]}" for why, count in collected.left_out.items())
        raise LabelsError(
            "There are no labelled pictures to train on"
            + (f" ({left} left out)" if left else "")
            + ": correct some answers, label on the Corrections page, or name a folder with --source."
        )
    moods = {row.label for row in collected.train}
    if not moods:
        raise LabelsError(
            f"All labelled pictures ({len(collected.rows)}) are of visitors who are held out to judge "
            "models, so there is nothing to train on: let more people correct answers first."
        )
    if len(moods) < 2:
        raise LabelsError(
            f"All pictures to train on ({len(collected.train)}) are labelled {moods.pop()}: label pictures "
            "of another mood first."
        )
    if not collected.valid:
        raise LabelsError(
            f"Too few labelled pictures to train on ({len(collected.rows)}): label some more first."
        )


def _agreed(found: Iterable[LabelledPicture], left_out: Counter[str]) -> list[LabelledPicture]:
    """The rows whose mood people agree on."""
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
    found: Sequence[LabelledPicture], images: Pictures, left_out: Counter[str]
) -> list[LabelledPicture]:
    """The rows whose picture exists and can be decoded, with the picture."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        read = list(threads.map(lambda each: _read(each, images), found))
    left_out.update(each for each in read if isinstance(each, str))
    return [each for each in read if not isinstance(each, str)]


def _read(found: LabelledPicture, images: Pictures) -> LabelledPicture | str:
    """The row with its picture, or the reason why it cannot be used."""
    try:
        picture = found.picture or images.get(found.prediction_id)
        if picture is None:
            return "missing"
        decode(picture)
    except PictureError:
        return "unreadable"
    return replace(found, picture=picture)


def _unique(found: Iterable[LabelledPicture], left_out: Counter[str]) -> list[LabelledPicture]:
    """Each picture once; no copy of it if the copies have different labels."""
    same: dict[bytes, list[LabelledPicture]] = defaultdict(list)
    for each in found:
        assert each.picture is not None
        same[hashlib.sha256(each.picture).digest()].append(each)
    chosen = []
    for copies in same.values():
        if len({each.label for each in copies}) > 1:
            left_out["conflicting"] += len(copies)
            continue
        # A copy that trains already replaces the others, then one that is held out: all get the same side.
        copies.sort(
            key=lambda each: (each.side != TRAIN, each.side is None, each.made_at, each.prediction_id)
        )
        first, *others = copies
        chosen.append(replace(first, copies=tuple(each.prediction_id for each in others)))
        left_out["twice"] += len(others)
    return chosen
