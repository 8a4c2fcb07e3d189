"""python -m vibecheck stats, report: the model's accuracy with users, in the terminal or as a file."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vibecheck.cli.output_file import output_file
from vibecheck.cli.records import open_store
from vibecheck.settings import Settings

if TYPE_CHECKING:
    from vibecheck.analytics.overview import ModelStatus, Overview


def stats(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    period: Annotated[str, typer.Option(help="week, 4 weeks, 12 weeks or all.")] = "week",
) -> None:
    """Print how accurate the model is with users, and whether to retrain."""
    from vibecheck.analytics.html_report import figures, sentences

    overview, status = _known(period)
    if as_json:
        typer.echo(json.dumps(figures(overview, status)))
        return
    for sentence in sentences(overview, status):
        typer.echo(sentence)


def report(
    out: Annotated[Path, typer.Option(help="File to write; - for standard output.", show_default=False)],
    period: Annotated[str, typer.Option(help="week, 4 weeks, 12 weeks or all.")] = "4 weeks",
    step: Annotated[str, typer.Option(help="day, week or month.")] = "week",
    model: Annotated[str | None, typer.Option(help="Only predictions of this version.")] = None,
    source: Annotated[str | None, typer.Option(help="Only live, photo, upload, video or import.")] = None,
) -> None:
    """Write the dashboard as one self-contained HTML file."""
    from vibecheck.analytics.html_report import page

    with output_file(out) as file:
        file.write(page(*_known(period, model, source, step)).encode())
    if str(out) != "-":
        typer.echo(f"Written to {out}.")


def _known(
    period: str, model: str | None = None, source: str | None = None, step: str = "week"
) -> "tuple[Overview, ModelStatus]":
    """The statistics of a period, and of the model in use."""
    from vibecheck.analytics.overview import PERIODS, compute_model_status, compute_overview
    from vibecheck.models.installed import champion_manifest
    from vibecheck.records.stats.steps import STEPS
    from vibecheck.records.values import PREDICTION_SOURCES

    settings, today = Settings.load(), datetime.now(UTC).date()
    with open_store(settings) as store:
        used = [each.version for each in store.statistics.versions()]
        for option, value, allowed in (
            ("--period", period, PERIODS),
            ("--step", step, STEPS),
            ("--model", model, used),
            ("--source", source, PREDICTION_SOURCES),
        ):
            if value is not None and value not in allowed:
                there = ", ".join(allowed) or "(no model has made a prediction yet)"
                raise typer.BadParameter(f"{value!r} is not one of: {there}.", param_hint=option)
        manifest = champion_manifest(settings)
        overview = compute_overview(store.statistics, today, period, model, source, step)
        return overview, compute_model_status(store.statistics, store.trainable, manifest, today)
