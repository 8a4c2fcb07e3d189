"""python -m vibecheck demo: a synthetic history, in a separate data folder."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from vibecheck.cli.progress_bar import counting
from vibecheck.settings import Settings

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


def demo(
    out: Annotated[Path, typer.Option(help="Folder to create.", show_default=False)],
    predictions: Annotated[int, typer.Option(min=1, max=5_000_000, help="Number of vibe checks.")] = 20_000,
    days: Annotated[int, typer.Option(min=2, max=3650, help="Days of history.")] = 150,
    pictures: Annotated[int, typer.Option(min=0, help="Maximum number of pictures.")] = 1_500,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 1,
    until: Annotated[
        datetime | None, typer.Option(formats=TIMES, help="End of the history, in UTC.", show_default="now")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an existing history.")] = False,
) -> None:
    """Generate a synthetic history, marked as such, to see the dashboard with data."""
    from vibecheck.demo.folder import build, refuse_others
    from vibecheck.demo.portraits import Portraits
    from vibecheck.demo.world import Plan
    from vibecheck.records.values import as_utc
    from vibecheck.vision.reader import Reader

    end = as_utc(until or datetime.now(UTC).replace(microsecond=0))
    plan = Plan(end, seed, days, predictions, pictures)
    refuse_others(out, replace)
    portraits = Portraits(Reader.open()) if pictures else None
    with counting("Writing a synthetic history", predictions) as advance:
        holds = build(out, plan, portraits, replace=replace, progress=advance)
    typer.echo(f"{out}: {holds}, all synthetic.")
    now, demo = Settings.load(), Settings(data=out, database_url=None, images=None)
    said = f"VIBECHECK_DATA={shlex.quote(str(out))}"
    if now.database_url:  # a setting that would win
        said += f" VIBECHECK_DATABASE_URL={shlex.quote(demo.records_url)}"
    if now.images:
        said += f" VIBECHECK_IMAGES_URL={shlex.quote(demo.images_url)}"
    typer.echo(f"To see it: {said} streamlit run Home.py")
