"""python -m finetune without another command: from labels to a challenger that was judged."""

import contextlib
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vibecheck.errors import DISK_FULL, LabelsError, VibeCheckError
from vibecheck.settings import Settings

if TYPE_CHECKING:
    from finetune.pipeline import FineTuneRequest
    from finetune.progress import Tell

CANCELLED = 130
# Libraries wrap the errors of the system: safetensors and torch in exceptions of their own.
FULL_TEXT = re.compile(r"no space left|os error 28|disk quota")
MEMORY_TEXT = re.compile(r"out of memory|can't allocate memory|not enough memory")
# Options that have an effect beside --register; "as_json" is --json.
USED_BY_REGISTER = {"register", "reference", "promote_if_better", "no_proof", "as_json"}
DEVICES = ("auto", "cpu", "cuda", "mps")


def fine_tune(
    context: typer.Context,
    source: Annotated[
        str, typer.Option(help="store, comet, a folder with a subfolder per mood, or a CSV file of labels.")
    ] = "store",
    base: Annotated[
        str | None,
        typer.Option(help="Base model: a version, a Hub id, a folder, or embedded. Default: the champion."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the run; an existing one is resumed. Default: a new one in the data folder."
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Only pictures since this time (UTC)."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of a CSV file's pictures. Default: the file's folder.")
    ] = None,
    crops: Annotated[bool, typer.Option("--crops", help="The pictures are face crops already.")] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Maximum number of epochs. Default: 12, or 4 for large models."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    reference: Annotated[
        Path | None, typer.Option(help="Labelled pictures on which it may lose one point of accuracy.")
    ] = None,
    promote_if_better: Annotated[
        bool, typer.Option("--promote-if-better", help="Make it the champion if it is proved better.")
    ] = False,
    no_proof: Annotated[bool, typer.Option("--no-proof", help="Do not compare it yet.")] = False,
    register: Annotated[
        Path | None,
        typer.Option(help="Only register and compare the model that was trained in this --out folder."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print lines of JSON even on a terminal.")] = False,
) -> None:
    """Train a challenger on labelled pictures, and compare it with the champion.

    Exits with 0 when finished, proved or not, with 1 after an error, and with 130 when interrupted.
    """
    if context.invoked_subcommand is not None:
        return
    lines = as_json or not sys.stdout.isatty()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _quiet()
    from finetune.pipeline import FineTuneRequest, preview, run

    since = since.replace(tzinfo=UTC) if since else None
    request = FineTuneRequest(
        source, base, out, since, pictures, crops, device, epochs, reference, promote_if_better, not no_proof
    )
    stdout = sys.stdout
    with _telling(lines) as tell, contextlib.redirect_stdout(sys.stderr):
        _check(context, request)
        settings = Settings.load()
        if dry_run:
            planned, notes = preview(settings, request)
            tell(planned)
            if not lines:
                print(*notes, sep="\n", file=stdout)
            return
        if register is not None:
            from finetune.registration import finish

            finish(settings, register.absolute(), request, tell)
            return
        run(settings, request, tell)


@contextlib.contextmanager
def _telling(lines: bool) -> Iterator["Tell"]:
    """Yields the function that reports events; an error becomes a `failed` event and the exit status 1."""
    from finetune.progress import Terminal, as_line

    out = sys.stdout

    def print_line(event: dict[str, Any]) -> None:
        print(as_line(event), file=out, flush=True)

    terminal = Terminal(out)
    try:
        yield print_line if lines else terminal
    except KeyboardInterrupt:
        terminal.close()
        raise typer.Exit(CANCELLED) from None
    except Exception as error:
        terminal.close()
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(1) from error  # nobody reads the output
        if not isinstance(error, VibeCheckError):
            traceback.print_exc()
        sentence = sentence_of(error)
        if not lines:
            raise VibeCheckError(sentence) from error
        print_line({"event": "failed", "error": sentence})
        typer.echo(sentence, err=True)
        raise typer.Exit(1) from error


def sentence_of(error: BaseException) -> str:
    """Why a run ended, in a sentence that says what to do."""
    if isinstance(error, VibeCheckError):
        return str(error)
    chain = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    text = " ".join(map(str, chain)).lower()
    if any(isinstance(each, OSError) and each.errno in DISK_FULL for each in chain) or FULL_TEXT.search(text):
        return "The disk is full: free some space, and give the same command with the same --out again."
    if any(isinstance(each, MemoryError) for each in chain) or MEMORY_TEXT.search(text):
        return "Too little memory: close other programs, or start from a smaller model (--base embedded)."
    first = str(error).strip().partition("\n")[0][:300] or "no reason given"
    return f"Training ended with {type(error).__name__}: {first.removesuffix('.')}. The log says where."


def _check(context: typer.Context, request: "FineTuneRequest") -> None:
    """Check options before anything is read; one that would have no effect is refused."""
    from finetune.data.collect import RECORDED
    from vibecheck.importing import label_files
    from vibecheck.records.labels.labelled import LabelledPicture

    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    if "register" in given and (useless := given - USED_BY_REGISTER):
        raise VibeCheckError(
            f"--register only registers and compares a model that is trained: leave out {_named(useless)}."
        )
    if "no_proof" in given and (useless := given & {"promote_if_better", "reference"}):
        raise VibeCheckError(f"--no-proof makes no comparison: leave it out, or {_named(useless)}.")
    if request.source in RECORDED and (useless := given & {"pictures", "crops"}):
        raise VibeCheckError(
            f"--source {request.source} reads the records: leave out {_named(useless)}, or name a folder or "
            "CSV file with --source."
        )
    if request.device not in DEVICES:
        raise VibeCheckError(f"--device takes {', '.join(DEVICES)}, not {request.device!r}.")
    if request.reference is None:
        return
    if not request.reference.exists():
        raise LabelsError(f"There is no {request.reference}: --reference takes a folder or a CSV file.")
    if not any(isinstance(each, LabelledPicture) for each in label_files.read(request.reference)):
        raise LabelsError(
            f"{request.reference} holds no labelled picture: name another one with --reference."
        )


def _named(parameters: Iterable[str]) -> str:
    """The options of these parameters, for an error message."""
    return ", ".join(sorted(f"--{name.replace('_', '-')}" for name in parameters))


def _quiet() -> None:
    """Silence the libraries' messages and progress bars, and their checks for newer data sets."""
    logging.disable(logging.WARNING)
    for name in ("HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
