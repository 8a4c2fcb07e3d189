"""The command that makes a model ready to run: python -m vibecheck compile."""

import contextlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vibecheck.cli.progress_bar import progress_bar
from vibecheck.errors import HubUnreachable, ModelError, VibeCheckError
from vibecheck.processes.child import exit_with_parent
from vibecheck.settings import Settings
from vibecheck.vision.model_source import parse_source

if TYPE_CHECKING:
    from vibecheck.export.build import Tell
    from vibecheck.models.installed import Installed

# The niceness of a build that the app starts: on a busy core it gets a tenth of the time.
NICE = 10


def compile_model(
    model: Annotated[
        str, typer.Argument(help="owner/name[@revision] on the Hub, a folder, or embedded.", metavar="MODEL")
    ],
    again: Annotated[bool, typer.Option("--again", help="Build and measure it again.")] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Only write model.onnx into the model's folder.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print progress and result as JSON.")] = False,
    behind: Annotated[
        bool, typer.Option("--behind", help="Run with low priority; exit when standard input is closed.")
    ] = False,
) -> None:
    """Fetch, export, measure and register a model, so that it is ready to run.

    Exits with 0 when it is ready. It does not become champion: see models promote.
    """
    if behind:
        exit_with_parent(NICE)
    make = partial(_made_in_place, Path(model)) if in_place else partial(_built, model, again)
    if as_json:
        _as_json(make)
        return
    with _bar() as tell:
        there = make(tell)
    _say(there)
    if not in_place:
        typer.echo(f"To compare it with the champion: python -m finetune judge {there.version}")


def _made_in_place(folder: Path, tell: "Tell") -> "Installed":
    """The model in its own folder, compiled there and not registered."""
    from vibecheck.models.installed import Installed
    from vibecheck.vision.manifest import Manifest

    threads = Settings.load().threads
    with _quiet_libraries(str(folder)):
        from vibecheck.export.candidates import compile_folder

        report = compile_folder(folder, threads, tell=tell)
    return Installed(Manifest.read(folder).version, folder, report)


@contextlib.contextmanager
def _bar() -> Iterator["Tell"]:
    """A progress bar for each step; yields what is to be called with a step, a count and the total."""
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def tell(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step.title())
            bar.update(tasks[step], completed=done, total=total or None)

        yield tell


def _say(there: "Installed") -> None:
    """The result, for people."""
    report = there.report
    typer.echo(
        f"{there.version} is ready: {report['candidate']}, {report['ms']:.3g} ms per face on "
        f"{report['threads']} thread(s) (PyTorch: {report['pytorch_ms']:.3g} ms)."
    )
    for each in report["candidates"]:
        verdict = f"rejected: {each['refused']}" if each["refused"] else "accepted"
        typer.echo(
            f"  {each['name']}: {each['ms']:.3g} ms, same top mood as transformers {each['agreement']:.1%}, "
            f"probabilities off by {each['mean_difference']:.2g}; {verdict}"
        )
    if seen := report.get("pixels"):  # not in reports of earlier versions
        typer.echo(f"It sees {seen}.")
    if (agreement := report.get("agreement_with_embedded")) is not None:
        typer.echo(f"It agrees with the embedded model on {agreement:.0%} of the built-in faces.")
    typer.echo(f"It is in {there.folder}.")


def _as_json(make: Callable[["Tell"], "Installed"]) -> None:
    out = sys.stdout

    def line(**fields: object) -> None:
        print(json.dumps(fields), file=out, flush=True)

    def tell(step: str, done: int, total: int) -> None:
        line(step=step, done=done, total=total)

    # Output of libraries goes to the terminal; the lines are for a program.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            there = make(tell)
        except VibeCheckError as error:
            if error.__cause__:
                traceback.print_exception(error)
            line(step="failed", sentence=str(error), later=isinstance(error, HubUnreachable))
            raise typer.Exit(1) from error
    line(step="ready", version=there.version, folder=str(there.folder), report=there.report)


def _built(model: str, again: bool, tell: "Tell") -> "Installed":
    """The model, built and registered."""
    from vibecheck.models.registry import Registry

    try:
        source = parse_source(model)
    except ValueError as error:
        raise ModelError(f"{error}.") from error
    settings = Settings.load()
    with _quiet_libraries(str(source)):
        from vibecheck.export.build import build

        there = build(settings, source, tell, again)
    report, manifest = there.report, there.manifest
    measured = {name: report[name] for name in ("candidate", "ms", "pytorch_ms", "threads", "made_at")}
    promised = manifest.promised_accuracy
    metrics = {"here": measured} | ({"promised_accuracy": promised} if promised else {})
    with Registry.open(settings) as registry:
        registry.register(there.version, manifest.origin, report["source"], metrics, datetime.now(UTC))
    return there


@contextlib.contextmanager
def _quiet_libraries(source: str) -> Iterator[None]:
    """Silence libraries, and raise ModelError for whatever they raise."""
    # They warn about missing parts that are not needed here, and draw their own progress bars.
    logging.disable(logging.WARNING)
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        yield
    except VibeCheckError:
        raise
    except MemoryError as error:
        raise ModelError(f"{source} could not be built: it takes more memory than there is.") from error
    except Exception as error:  # of the libraries that load, export, quantise and run it
        said = " ".join(str(error).split())[:300]
        raise ModelError(f"{source} could not be built: {type(error).__name__}, {said}.") from error
