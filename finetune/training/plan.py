"""What a run was asked to do and what it found to learn from: kept in its folder, so that it can go on."""

import json
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from datasets import Dataset

from finetune.data import dataset
from finetune.data.collect import Collected
from finetune.training.base_model import Model
from finetune.training.trainer import Recipe
from vibecheck.errors import VibeCheckError
from vibecheck.vision.classifier import Classifier

FILE_NAME = "plan.json"
FORMAT = 1
# Beside the plan, until the model is made: pictures cut for training, and checkpoints.
DATA, CHECKPOINTS = "data", "checkpoints"


@dataclass(frozen=True, slots=True)
class Plan:
    """`version` is what the model will be called. `asked` is what decides the outcome, as plain JSON."""

    version: str
    asked: dict[str, Any]
    started_at: str


def asked(
    source: str, base: Model, champion: Model, since: datetime | None, recipe: Recipe
) -> dict[str, Any]:
    """What decides the outcome of a run, as plain JSON."""
    return {
        "source": source,
        "base": base.version,
        "champion": champion.version,
        "since": since.isoformat() if since else None,
        "recipe": asdict(recipe),
    }


def read(out: Path) -> Plan | None:
    """The plan of the run that was begun in `out`; None where it is empty or not there.

    Raises VibeCheckError where something else is in it.
    """
    path = out / FILE_NAME
    if not path.exists():
        if out.exists() and (not out.is_dir() or any(each.name not in (DATA,) for each in out.iterdir())):
            raise VibeCheckError(f"{out} holds something else: name a new folder with --out.")
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.pop("format") != FORMAT:
            raise ValueError
        return Plan(**told)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise VibeCheckError(
            f"{path} cannot be used: delete {out}, or name another folder with --out."
        ) from error


def begin(out: Path, plan: Plan, collected: Collected, base: Model, side: int, teacher: Classifier) -> None:
    """Write what is learned from, and then the plan, into `out`."""
    shutil.rmtree(out / DATA, ignore_errors=True)  # of a run that ended before it had begun
    for name, rows in (("train", collected.train), ("valid", collected.valid)):
        dataset.write(out / DATA / f"{name}.arrow", rows, side, base.manifest, teacher)
    told = {"format": FORMAT} | asdict(plan)
    unfinished = out / f"{FILE_NAME}.part"
    unfinished.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(out / FILE_NAME)


def data(out: Path, kept: Collection[str] | None = None) -> tuple[Dataset, Dataset]:
    """What to train on and what to choose by; of it, only the predictions in `kept` where that is given."""

    def part(name: str) -> Dataset:
        rows = dataset.read(out / DATA / f"{name}.arrow")
        if kept is None:
            return rows
        return rows.select([i for i, each in enumerate(rows["prediction_id"]) if each in kept])

    return part("train"), part("valid")


def clear(out: Path) -> None:
    """Delete what was only needed to train: the faces in it are kept in the records alone."""
    for name in (DATA, CHECKPOINTS):
        shutil.rmtree(out / name, ignore_errors=True)
