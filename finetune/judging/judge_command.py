"""python -m finetune judge: a version, or a model folder, against the champion."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from vibecheck.errors import ModelError
from vibecheck.evaluation.report import HTML_FILE, Report
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.settings import Settings


def judge(
    challenger: Annotated[
        str, typer.Argument(help="A version that models list shows, or a model folder.", show_default=False)
    ],
    reference: Annotated[
        Path | None, typer.Option(help="Labelled pictures on which it may lose one point of accuracy.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for the report. Default: in VIBECHECK_DATA.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Compare a model with the champion on randomly requested labels.

    Writes report.json and report.html, and stores the proof with a registered version.
    """
    from finetune.data.collect import collect

    settings = Settings.load()
    rows = collect(settings, "store", None).rows
    report, folder = compared(settings, challenger, reference, out, rows)
    if as_json:
        typer.echo(json.dumps(report.plain()))
        return
    typer.echo(report.reason)
    typer.echo(f"The report is in {folder / HTML_FILE}.")
    if report.proved:
        typer.echo(f"To make it the champion: python -m vibecheck models promote {report.challenger}")


def compared(
    settings: Settings,
    challenger: str,
    reference: Path | None,
    out: Path | None,
    rows: Sequence[LabelledPicture],
) -> tuple[Report, Path]:
    """The report of a comparison on `rows`, and its folder. Raises VibeCheckError."""
    from finetune.judging.judge import judge_challenger
    from vibecheck.models.installed import InstalledModels
    from vibecheck.models.registry import Registry
    from vibecheck.vision.manifest import Manifest

    with Registry.open(settings) as registry:
        there = Path(challenger)
        installed = InstalledModels(settings.data)
        model = there if there.is_dir() and installed.find(challenger, ()) is None else challenger
        version = Manifest.read(model).version if isinstance(model, Path) else model
        if version == registry.champion().version:
            raise ModelError(f"{version} is the champion itself: name another one.")
        folder = out or settings.data / "trials" / installed.folder(version).name
        record = registry.record(version)
    learned = record.trained_on if record else ()
    now = datetime.now(UTC)
    return judge_challenger(settings, model, rows, reference, folder, learned, now), folder
