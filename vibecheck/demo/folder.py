"""Builds the data folder of a synthetic history, in one piece or not at all."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from vibecheck.demo import history
from vibecheck.demo.portraits import Portraits
from vibecheck.demo.world import Plan
from vibecheck.errors import RecordsError
from vibecheck.records import bulk
from vibecheck.records.db.connect import open_database
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.pictures import Pictures
from vibecheck.records.stats import summaries
from vibecheck.records.synthetic import is_synthetic
from vibecheck.settings import Settings

STAMP = "DEMO"
DATABASE = "vibecheck.db"
OURS = (STAMP, "images", DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")


def build(
    folder: Path,
    plan: Plan,
    portraits: Portraits | None,
    *,
    replace: bool = False,
    progress: Callable[[int], None] = lambda predictions: None,
) -> str:
    """Fills `folder` with a history; returns a text with the number of records of each kind.

    `progress` is called with the number of predictions just written. The folder must be new or empty, or,
    with `replace`, hold a synthetic history; other files in it are kept. It appears once it is complete.
    Raises RecordsError.
    """
    folder = folder.absolute()
    refuse_others(folder, replace)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            holds = _fill(unfinished, plan, portraits, progress)
            (unfinished / STAMP).write_text(_stamp(plan, holds), encoding="utf-8")
            unfinished.chmod(0o755)  # the usual permissions; a temporary folder is private to its owner
            _put_in_place(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise RecordsError(f"{folder} cannot be written ({error.strerror}): name another folder.") from error
    return holds


def refuse_others(folder: Path, replace: bool) -> None:
    """Raises RecordsError unless a history may be written there."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / STAMP).is_file() or not _is_made_up(folder):
        raise RecordsError(
            f"{folder} holds something other than a synthetic history, so none is written there. Name a "
            "folder that does not exist yet."
        )
    if not replace:
        raise RecordsError(f"{folder} holds a synthetic history already: add --replace to replace it.")


def _is_made_up(folder: Path) -> bool:
    if not (folder / DATABASE).is_file():
        return False
    engine = open_database(_settings(folder).records_url)
    try:
        with reading(engine) as connection:
            return is_synthetic(connection)
    finally:
        engine.dispose()


def _settings(folder: Path) -> Settings:
    """The database is always a file in the folder, whatever VIBECHECK_DATABASE_URL says."""
    return Settings.model_construct(data=folder, database_url=None)


def _fill(folder: Path, plan: Plan, portraits: Portraits | None, progress: Callable[[int], None]) -> str:
    settings = _settings(folder)
    images = Pictures(settings.images_url)
    engine = open_database(settings.records_url)
    made: Counter[str] = Counter()
    try:
        with writing(engine) as connection:
            bulk.write_versions(connection, history.versions(plan))
        for records, shown in history.parts(plan, portraits):
            for prediction_id, jpeg in shown.items():
                images.put(prediction_id, jpeg, wait=False)
            with writing(engine) as connection:
                bulk.write(connection, records)
            made.update(predictions=len(records.predictions), labels=len(records.feedback))
            made.update(playlists=len(records.plays), pictures=len(shown))
            progress(len(records.predictions))
        with writing(engine) as connection:
            summaries.rebuild(connection)
    finally:
        engine.dispose()
    return ", ".join(f"{count} {what}" for what, count in made.items())


def _put_in_place(unfinished: Path, folder: Path) -> None:
    """Moves the new history into place. Only files that a demo wrote are deleted from the old one."""
    if not folder.exists():
        unfinished.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent)) / folder.name
    folder.rename(old)
    unfinished.rename(folder)
    for each in old.iterdir():
        if each.name not in OURS:
            each.rename(folder / each.name)
    shutil.rmtree(old.parent, ignore_errors=True)


def _stamp(plan: Plan, holds: str) -> str:
    return (
        "The records in this folder are a synthetic history: the people, their moods and their answers are\n"
        "made up. The faces are those that scikit-image ships (Labeled Faces in the Wild), altered.\n\n"
        f"Made by: python -m vibecheck demo --seed {plan.seed} --days {plan.days} "
        f"--predictions {plan.checks} --pictures {plan.pictures} --until {plan.until.isoformat()}\n"
        f"Holds {holds}.\n"
    )
