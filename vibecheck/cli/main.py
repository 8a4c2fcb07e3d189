"""The command line: python -m vibecheck …

Each command imports what it needs itself: `--help` and `predict` should not wait for torch.
"""

import io
import os
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from vibecheck import __version__
from vibecheck.cli import comet, models
from vibecheck.cli.compile_model import compile_model
from vibecheck.cli.demo import demo
from vibecheck.cli.import_labels import import_labels
from vibecheck.cli.predict import predict
from vibecheck.cli.records import open_store
from vibecheck.cli.stats import report, stats
from vibecheck.errors import DISK_FULL, VibeCheckError
from vibecheck.settings import Settings
from vibecheck.text.plurals import counted

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def vibecheck(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read the expression on a face, find music for it, and learn from corrections."""


def doctor() -> None:
    """Check whether each part works, and say how to fix what does not.

    Exits with 0 if every required part works, else with 1.
    """
    from vibecheck.cli.doctor import examine

    console = Console()
    well = True
    for finding in examine(Settings.load()):
        mark = "[green]✓[/]" if finding.works else "[red]✗[/]" if finding.needed else "[yellow]–[/]"
        console.print(
            f"{mark} [bold]{finding.part}[/]  {escape(finding.sentence)}", soft_wrap=True, highlight=False
        )
        well &= finding.works or not finding.needed
    raise typer.Exit(0 if well else 1)


def forget(
    prediction_ids: Annotated[
        list[str], typer.Argument(help="Ids of vibe checks, 32 hexadecimal digits each.", show_default=False)
    ],
) -> None:
    """Delete vibe checks with their pictures, labels and playlists, also in Comet.

    Exits with 0 if all of them existed, else with 1.
    """
    now = datetime.now(UTC)
    with open_store(Settings.load()) as store:
        forgotten = store.forget(prediction_ids, now)
        marked = store.marked_since(now)
    for prediction_id in dict.fromkeys(prediction_ids):
        gone = prediction_id in forgotten
        # As Python writes it: the argument may contain anything.
        sentence = f"{prediction_id} is deleted." if gone else f"There is no vibe check {prediction_id!r}."
        typer.echo(sentence, err=not gone)
    _tell_marked(marked)
    raise typer.Exit(0 if forgotten.issuperset(prediction_ids) else 1)


def purge(
    older_than: Annotated[
        int | None,
        typer.Option(
            min=0, max=36500, help="Days to keep. Default: VIBECHECK_RETENTION_DAYS.", show_default=False
        ),
    ] = None,
) -> None:
    """Delete all vibe checks older than some days, also in Comet."""
    from vibecheck.models.promotion import settle_bets
    from vibecheck.models.registry import Registry

    settings, now = Settings.load(), datetime.now(UTC)
    days = settings.retention_days if older_than is None else older_than
    with open_store(settings) as store, Registry.open(settings) as registry:
        settle_bets(registry, store.statistics, timedelta(days=days), now)  # they count after the deletion
        deleted = store.purge(now - timedelta(days=days))
        marked = store.marked_since(now)
    typer.echo(f"Deleted: {counted(deleted, 'vibe check')} older than {counted(days, 'day')}.")
    _tell_marked(marked)


def _tell_marked(marked: Mapping[str, int]) -> None:
    """Name the models that were trained on deleted vibe checks, since they cannot unlearn."""
    for version, count in marked.items():
        typer.echo(f"{version} was trained on {count} of them, and is marked.")


# In the order in which help lists them.
COMMANDS: dict[str, Callable[..., None]] = {
    "predict": predict,
    "import": import_labels,
    "demo": demo,
    "doctor": doctor,
    "stats": stats,
    "report": report,
    "compile": compile_model,
    "forget": forget,
    "purge": purge,
    "send": comet.send,
    "restore": comet.restore,
    "export": comet.export,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(models.app, name="models")


def run(commands: typer.Typer) -> None:
    """Run a command line; one of our errors prints its sentence and exits with 1, without a traceback.

    So do a full disk, a file that the system refuses, and an argument that has to be text and is not.
    """
    for closed in (each for each in ("stdout", "stderr") if getattr(sys, each) is None):
        # The next file that is opened would get its descriptor.
        setattr(sys, closed, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A pipe or file may be in cp1252 or ASCII, and a file's name in no encoding at all.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Path("") is the current folder.
        if any(re.fullmatch("(--[^=]+=)?", each) for each in sys.argv[1:]):
            raise VibeCheckError("An argument is empty. Give it a value; is a shell variable not set?")
        commands(help_option_names=["-h", "--help"])
    except VibeCheckError as error:
        sentence = str(error)
    except UnicodeEncodeError as error:  # Python keeps such bytes of an argument as lone surrogates
        if not re.search("[\udc80-\udcff]", error.object):
            raise
        sentence = f"{error.object!r} is not text in UTF-8."
    except ImportError as error:
        if not isinstance(error.__cause__, KeyboardInterrupt):  # Ctrl-C while a library is loaded
            raise
        sentence = "Aborted!"  # as typer says it
    except OSError as error:
        if error.errno in DISK_FULL:
            sentence = "The disk is full: free some space, and give the command again."
        elif error.filename is None and isinstance(error, FileNotFoundError):  # os.getcwd
            sentence = "The current folder was deleted: change to another one, and give the command again."
        elif error.filename is None:
            raise
        else:
            sentence = f"{error.filename} cannot be used: {error.strerror}."
    else:
        return
    typer.echo(sentence, err=True)
    sys.exit(1)
