"""The folder of a run: its plan, its checkpoints, and briefly the pictures it trains on.

plan.json        what was asked for, and which predictions train and validate, with their labels
trained_on.json  the ids of all pictures that any checkpoint was trained on
checkpoints      of both stages, until the model is registered
data             face crops, until every process has opened them: then only an open file holds them,
                 and the system frees it when the processes end, however they end
"""

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from finetune.data.collect import TrainingData
from vibecheck.errors import VibeCheckError
from vibecheck.models.installed import Installed
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.training_runs.run_folder import LOCK, PICTURES, write_json
from vibecheck.vision.classifier import Classifier

if TYPE_CHECKING:
    from datasets import Dataset

PLAN, TRAINED_ON, CHECKPOINTS = "plan.json", "trained_on.json", "checkpoints"
FORMAT = 2


@dataclass(frozen=True, slots=True)
class RunPlan:
    """`version` is the future model's, `asked` is all that determines the outcome, as plain JSON.

    `train` and `valid` are the labels by prediction id.
    """

    version: str
    asked: dict[str, Any]
    started_at: str
    train: dict[str, str]
    valid: dict[str, str]


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keeps other runs out of the folder, which is made if necessary. Raises VibeCheckError."""
    made = not out.exists()
    if out.exists() and not out.is_dir():
        raise VibeCheckError(f"{out} is not a folder: name another one with --out.")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(out / LOCK, timeout=0):
            yield
    except Timeout:
        raise VibeCheckError(
            f"Another run is under way in {out}: wait for its end, or name another folder with --out."
        ) from None
    finally:
        if made and not (out / PLAN).exists():  # the run produced nothing
            shutil.rmtree(out, ignore_errors=True)


def read(out: Path) -> RunPlan | None:
    """The plan of the run in `out`; None where the folder is empty.

    Raises VibeCheckError where something else is in it.
    """
    path = out / PLAN
    if not path.exists():
        if any(each.name not in (PICTURES, LOCK) for each in out.iterdir()):
            raise VibeCheckError(f"{out} holds something else: name a new folder with --out.")
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.pop("format") != FORMAT:
            raise ValueError
        return RunPlan(**told)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise VibeCheckError(
            f"{path} cannot be used: delete {out}, or name another folder with --out."
        ) from error


def write(out: Path, plan: RunPlan) -> None:
    """Write the plan."""
    write_json(out / PLAN, {"format": FORMAT} | asdict(plan))


def write_data(
    out: Path, plan: RunPlan, collected: TrainingData, base: Installed, side: int, teacher: Classifier
) -> None:
    """Write the face crops that the plan names, as far as their predictions still exist."""
    from finetune.data import dataset  # takes half a second

    discard_data(out)
    (out / PICTURES).mkdir(mode=0o700)
    found = {row.prediction_id: row for row in collected.rows}
    for name, labels in (("train", plan.train), ("valid", plan.valid)):
        rows: list[LabelledPicture] = [
            replace(found[each], label=label) for each, label in labels.items() if each in found
        ]
        note_trained_on(out, (copy for row in rows for copy in row.copies))  # nor may these judge the model
        path = out / PICTURES / f"{name}.arrow"
        path.touch(mode=0o600)
        dataset.write(path, rows, side, base.manifest, teacher)


def open_data(out: Path) -> tuple["Dataset", "Dataset"]:
    """The training and validation sets, memory-mapped."""
    from datasets import Dataset

    train, valid = (str(out / PICTURES / f"{name}.arrow") for name in ("train", "valid"))
    return Dataset.from_file(train), Dataset.from_file(valid)


def discard_data(out: Path) -> None:
    """Delete the face crops; a process that has opened them keeps reading them."""
    shutil.rmtree(out / PICTURES, ignore_errors=True)


def note_trained_on(out: Path, ids: Iterable[str]) -> list[str]:
    """Add ids to those that any checkpoint was trained on; returns all of them, sorted."""
    path = out / TRAINED_ON
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    every = sorted({*known, *ids})
    write_json(path, every)
    return every


def clear(out: Path) -> None:
    """Delete files that only the training needed."""
    for name in (PICTURES, CHECKPOINTS):
        shutil.rmtree(out / name, ignore_errors=True)
