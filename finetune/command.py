"""python -m finetune without another command: from labels to a challenger that was judged."""

import contextlib
import json
import logging
import os
import signal
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vibecheck.errors import LabelsError, VibeCheckError
from vibecheck.settings import Settings

if TYPE_CHECKING:
    from finetune.run import Looked, Request

CANCELLED = 130
DEVICES = ("auto", "cpu", "cuda", "mps")


def fine_tune(
    context: typer.Context,
    source: Annotated[
        str, typer.Option(help="store, comet, a folder with a folder a mood, or a CSV file of labels.")
    ] = "store",
    base: Annotated[
        str | None,
        typer.Option(
            help="What to start from: a version, a Hub id, a folder, or embedded. Default: the champion.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the run; the same one goes on. Default: a new one in the data folder.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Only what was made since, in UTC."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of a CSV file's pictures. Default: that of the file.")
    ] = None,
    crops: Annotated[bool, typer.Option("--crops", help="Each picture is a face crop already.")] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Most passes over the pictures. Default: by the model's size."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    reference: Annotated[
        Path | None, typer.Option(help="Your own labelled pictures, on which it may not get worse.")
    ] = None,
    promote_if_better: Annotated[
        bool, typer.Option("--promote-if-better", help="Make it the champion if it is proved better.")
    ] = False,
    no_proof: Annotated[bool, typer.Option("--no-proof", help="Train it, but do not judge it yet.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON, also on a terminal.")] = False,
) -> None:
    """Train a model on what people corrected, and prove whether it is better than the champion.

    Exits with 0 when it is finished, proved or not, with 1 when something is in the way, with 130 when it
    was stopped.
    """
    if context.invoked_subcommand is not None:
        return
    lines = as_json or not sys.stdout.isatty()
    signal.signal(signal.SIGTERM, _stop)
    _quiet()
    from finetune.run import Request, look, run

    request = Request(
        source,
        base,
        out,
        since.replace(tzinfo=UTC) if since else None,
        pictures,
        crops,
        device,
        epochs,
        reference,
        promote_if_better,
        not no_proof,
    )
    stdout = sys.stdout
    with _telling(lines) as tell, contextlib.redirect_stdout(sys.stderr):
        _check(request)
        settings = Settings.load()
        if dry_run:
            seen = look(settings, request)
            told = json.dumps(as_plain(seen)) if lines else in_words(seen)
            print(told, file=stdout)
            return
        run(settings, request, tell)


@contextlib.contextmanager
def _telling(lines: bool):
    """Gives what tells events; what goes wrong on purpose is told too, and ends in 1 or CANCELLED."""
    from finetune.telling import Terminal, as_json

    out = sys.stdout
    terminal = Terminal(out)
    try:
        yield (lambda event: as_json(event, out)) if lines else terminal
    except VibeCheckError as error:
        terminal.close()
        if not lines:
            raise
        as_json({"event": "failed", "error": str(error)}, out)
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        terminal.close()
        raise typer.Exit(CANCELLED) from None


def _check(request: "Request") -> None:
    """What can be said before anything is read."""
    if request.device not in DEVICES:
        raise VibeCheckError(f"--device takes {', '.join(DEVICES)}, not {request.device!r}.")
    if request.reference is not None and not request.reference.exists():
        raise LabelsError(f"There is no {request.reference}: --reference takes a folder or a CSV file.")


def as_plain(seen: "Looked") -> dict[str, Any]:
    """What a dry run finds, as one JSON object."""
    from finetune.run import told

    needs = asdict(seen.needs) | {"enough": seen.needs.enough}
    return told(seen.collected) | {
        "event": "planned",
        "base": seen.base.version,
        "device": seen.device,
        "estimate": needs,
    }


def in_words(seen: "Looked") -> str:
    """What a dry run finds, in sentences."""
    from finetune import telling
    from finetune.run import told

    needs = seen.needs
    lines = [
        telling.told(told(seen.collected)),
        f"It would train {seen.base.version} on {seen.device}: at most about {needs.minutes:.0f} minutes and "
        f"{needs.memory_mb / 1000:.1f} GB of memory ({needs.available_mb / 1000:.1f} GB are free).",
    ]
    if not needs.enough:
        lines.append(needs.refusal)
    return "\n".join([*lines, "Nothing was changed."])


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _quiet() -> None:
    """Libraries warn of what is not needed here, draw bars of their own, and look for newer data sets."""
    logging.disable(logging.WARNING)
    for name in ("HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
