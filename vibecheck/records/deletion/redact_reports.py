"""Removes deleted pictures from reports.

`python -m finetune` writes an HTML page about a model's evaluation that shows pictures, each marked with the
id of its prediction. The registry knows where the reports are.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from vibecheck.errors import RecordsError
from vibecheck.records import disk
from vibecheck.records.db.batches import found_in
from vibecheck.records.db.tables import predictions, registered_models
from vibecheck.records.db.transactions import fetch, reading

PICTURE = re.compile(r'<img data-prediction="([^"]*)"[^>]*>')
GONE = '<div class="none"></div>'
REPORT_FILE = "report.html"
LARGEST = 50_000_000  # bytes


def without_pictures(page: str, ids: Collection[str] | None = None) -> str:
    """The page without the pictures of these predictions; None: without any pictures."""
    return PICTURE.sub(lambda found: GONE if ids is None or found[1] in ids else found[0], page)


def redact(engine: Engine) -> None:
    """Removes every picture without a stored prediction from the reports on this machine.

    Raises RecordsError if a report cannot be changed, after all others were.
    """
    failed: RecordsError | None = None
    for path in _here(engine):
        try:
            page = path.read_text(encoding="utf-8")
            shown = set(PICTURE.findall(page))
            with reading(engine) as connection:
                gone = shown - found_in(connection, predictions.c.id, shown)
            if gone:
                disk.write(path, without_pictures(page, gone).encode())
        except (OSError, ValueError) as error:
            failed = RecordsError(
                f"{path} may still show a picture that was deleted: delete this file ({error})."
            )
    if failed is not None:
        raise failed


def _here(engine: Engine) -> Iterator[Path]:
    versions = fetch(engine, select(registered_models.c.metrics))
    noted = {Path(report) for (metrics,) in versions if (report := _report_of(metrics))}
    if engine.dialect.name == "sqlite":  # they may have been moved, together with its file
        data = Path(engine.url.database or "").parent
        noted |= {data.joinpath(*path.parts[-parts:]) for path in noted for parts in (3, 4)}
    for path in sorted(noted):
        if path.name == REPORT_FILE and path.is_file() and path.stat().st_size <= LARGEST:
            yield path


def _report_of(metrics: Mapping[str, Any]) -> str | None:
    """The path of the report that a version's proof names (see `evaluation/proof.py`)."""
    proof = metrics.get("proof")
    report = proof.get("report") if isinstance(proof, Mapping) else None
    return report if isinstance(report, str) else None
