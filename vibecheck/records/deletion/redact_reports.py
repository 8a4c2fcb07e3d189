"""Reports that show faces: a picture that is deleted goes from them too.

`python -m finetune` writes a page for people about a model's trial, with the pictures that changed sides.
Each is marked with the id of its prediction. Which reports there are, the registry knows.
"""

import os
import re
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from sqlalchemy import Engine, select

from vibecheck.errors import RecordsError
from vibecheck.evaluation.proof import proof_of
from vibecheck.evaluation.report import HTML_FILE
from vibecheck.records.db.tables import predictions, registered_models
from vibecheck.records.db.transactions import reading

PICTURE = re.compile(r'<img data-prediction="([^"]*)"[^>]*>')
GONE = '<div class="none"></div>'
LARGEST = 50_000_000  # bytes


def without_pictures(page: str, ids: Collection[str] | None = None) -> str:
    """The page without the pictures of these predictions; None: without any."""
    return PICTURE.sub(lambda found: GONE if ids is None or found[1] in ids else found[0], page)


def redact(engine: Engine) -> None:
    """Takes out of the reports on this machine every picture whose prediction is not stored (any more).

    Raises RecordsError where a report cannot be changed.
    """
    for path in _here(engine):
        try:
            page = path.read_text(encoding="utf-8")
            shown = set(PICTURE.findall(page))
            if gone := shown - _stored(engine, shown):
                _write(path, without_pictures(page, gone))
        except (OSError, ValueError) as error:
            raise RecordsError(
                f"{path} may still show a picture that was deleted: delete this file ({error})."
            ) from error


def _here(engine: Engine) -> Iterator[Path]:
    with reading(engine) as connection:
        known = [
            proof_of(metrics) for metrics in connection.execute(select(registered_models.c.metrics)).scalars()
        ]
    for path in sorted({Path(proof.report) for proof in known if proof and proof.report}):
        if path.name == HTML_FILE and path.is_file() and path.stat().st_size <= LARGEST:
            yield path


def _stored(engine: Engine, ids: Collection[str]) -> set[str]:
    with reading(engine) as connection:
        return set(connection.execute(select(predictions.c.id).where(predictions.c.id.in_(ids))).scalars())


def _write(path: Path, page: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(page)
    Path(name).replace(path)
