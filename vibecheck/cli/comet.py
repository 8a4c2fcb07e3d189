"""The commands for Comet: python -m vibecheck send, restore, export.

Each imports what it needs itself, so that the others start quickly.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from vibecheck.cli.output_file import output_file
from vibecheck.cli.progress_bar import progress_bar
from vibecheck.cli.records import open_store
from vibecheck.errors import SettingsError
from vibecheck.settings import Settings


def send(
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="Exit when nothing more can be sent now.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Compare with Comet, and send again what it has lost.")
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="With --again: only predictions since this day (UTC)."),
    ] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Send the outbox to Comet. The app does so by itself."""
    from vibecheck.comet import worker

    settings = Settings.load()
    if since is not None and not again:
        raise SettingsError("--since is for send --again.")
    if again:
        added = worker.send_again(settings, since and since.replace(tzinfo=UTC))
        typer.echo(f"Missing in Comet, and sent again: {added}.")
        return
    worker.serve(settings, until_empty, with_parent)


def restore(
    days: Annotated[
        int | None, typer.Option(min=1, max=36500, help="Days to restore. Default: VIBECHECK_RETENTION_DAYS.")
    ] = None,
) -> None:
    """Restore missing predictions, labels and pictures from Comet, newest first.

    It can be interrupted and repeated. Existing records are not changed.
    """
    from vibecheck.comet.restore import restore as read_back

    settings = Settings.load()
    settings = settings.model_copy(update={"retention_days": days or settings.retention_days})
    with open_store(settings) as store, progress_bar(stays=True) as progress:
        reading = progress.add_task("Days", total=None)
        fetching = progress.add_task("Pictures", total=None)
        for at in read_back(settings, store):
            progress.update(reading, total=at.days, completed=at.days_read)
            total = max(progress.tasks[fetching].total or 0, at.pictures_left)
            progress.update(fetching, total=total, completed=total - at.pictures_left)
    typer.echo(
        f"Days in Comet: {at.days}. New here: predictions {at.predictions}, labels {at.labels}, "
        f"pictures {at.pictures}."
    )
    if at.refused:
        typer.echo(f"Not usable: {at.refused} assets in Comet, for example {at.reason}", err=True)


def export(
    path: Annotated[
        Path, typer.Argument(help="CSV file to write; - for standard output.", show_default=False)
    ],
) -> None:
    """Export all predictions with their effective labels, oldest first, as CSV."""
    from vibecheck.comet.feedback_log import lines

    with open_store(Settings.load()) as store, output_file(path) as file:
        file.writelines(line.encode() for line in lines(store.history()))
