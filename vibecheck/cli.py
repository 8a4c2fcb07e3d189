"""The command line: python -m vibecheck …

Each command imports what it needs itself: `--help` and `predict` should not wait for torch.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from vibecheck import cli_models
from vibecheck.comet import commands as comet
from vibecheck.commands.demo import demo
from vibecheck.commands.import_labels import import_labels
from vibecheck.emotions import BY_NAME, NAMES
from vibecheck.errors import NoFace, PictureError, VibeCheckError
from vibecheck.settings import Settings

if TYPE_CHECKING:
    from vibecheck.analytics.overview import Overview, Standing
    from vibecheck.manifest import Manifest
    from vibecheck.records.store import Store
COULD_NOT_READ = 1

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def vibecheck() -> None:
    """Read the expression on a face, find music for it, and learn from being wrong."""


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, and folders.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    no_detect: Annotated[
        bool, typer.Option("--no-detect", help="Each picture is a face crop already: read the whole of it.")
    ] = False,
) -> None:
    """Say which mood the largest face of each picture shows.

    Exits with 0 if every file could be read as a picture, whether or not it shows a face; else with 1.
    """
    files = list(_files(paths))
    answers = _answers(files, detect=not no_detect)
    answers = list(_printed(answers)) if as_json else _with_table(answers, len(files))
    if not files:
        typer.echo(f"There are no pictures in {', '.join(map(str, paths))}.", err=True)
    if not files or any(unreadable for _, unreadable in answers):
        raise typer.Exit(COULD_NOT_READ)


@app.command()
def doctor() -> None:
    """Say of each part whether it works, and what to set if it does not.

    Exits with 0 if everything that VibeCheck cannot do without works; else with 1.
    """
    from vibecheck.doctor import examine

    console = Console()
    well = True
    for finding in examine(Settings.load()):
        mark = "[green]✓[/]" if finding.works else "[red]✗[/]" if finding.needed else "[yellow]–[/]"
        console.print(
            f"{mark} [bold]{finding.part}[/]  {escape(finding.sentence)}", soft_wrap=True, highlight=False
        )
        well &= finding.works or not finding.needed
    raise typer.Exit(0 if well else 1)


app.command("compile")(cli_models.compile_model)
app.add_typer(cli_models.app, name="models")


@app.command()
def forget(
    prediction_ids: Annotated[
        list[str], typer.Argument(help="Ids of vibe checks, 32 digits each.", show_default=False)
    ],
) -> None:
    """Delete vibe checks with their pictures, labels and playlists, wherever they went.

    Exits with 1 if one of them was not there, else with 0.
    """
    now = datetime.now(UTC)
    with _store() as store:
        forgotten = store.forget(prediction_ids, now)
        marked = store.marked_since(now)
    for prediction_id in dict.fromkeys(prediction_ids):
        gone = prediction_id in forgotten
        # As Python writes it: what was typed may hold anything.
        sentence = f"{prediction_id} is deleted." if gone else f"There is no vibe check {prediction_id!r}."
        typer.echo(sentence, err=not gone)
    _tell_marked(marked)
    raise typer.Exit(0 if forgotten.issuperset(prediction_ids) else 1)


@app.command()
def purge(
    older_than: Annotated[
        int | None,
        typer.Option(
            min=0, max=36500, help="Days to keep. Default: VIBECHECK_RETENTION_DAYS.", show_default=False
        ),
    ] = None,
) -> None:
    """Delete all vibe checks that are older than some days, wherever they went."""
    days = Settings.load().retention_days if older_than is None else older_than
    now = datetime.now(UTC)
    with _store() as store:
        deleted = store.purge(now - timedelta(days=days))
        marked = store.marked_since(now)
    typer.echo(f"{deleted} vibe checks older than {days} days are deleted.")
    _tell_marked(marked)


def _tell_marked(marked: Mapping[str, int]) -> None:
    """What was deleted stays in the models that learned from it: which those are."""
    for version, count in marked.items():
        typer.echo(f"{version} learned from {count} of them, and is marked.")


@contextmanager
def _store() -> Iterator["Store"]:
    from vibecheck.records.store import Store

    store = Store.open(Settings.load())
    try:
        yield store
    finally:
        store.close()


app.command("import")(import_labels)
app.command()(demo)
for command in (comet.send, comet.restore, comet.export):
    app.command()(command)


@app.command()
def stats(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    period: Annotated[str, typer.Option(help="week, 4 weeks, 12 weeks or all.")] = "week",
) -> None:
    """Say how good the model is with users, and whether it is time to retrain."""
    from vibecheck.analytics.report import figures, sentences

    overview, standing = _known(period)
    if as_json:
        typer.echo(json.dumps(figures(overview, standing)))
        return
    for sentence in sentences(overview, standing):
        typer.echo(sentence)


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="The file to write.", show_default=False)],
    period: Annotated[str, typer.Option(help="week, 4 weeks, 12 weeks or all.")] = "4 weeks",
    step: Annotated[str, typer.Option(help="day, week or month.")] = "week",
    model: Annotated[str | None, typer.Option(help="Only this model version.")] = None,
    source: Annotated[str | None, typer.Option(help="Only predictions of this source.")] = None,
) -> None:
    """Write the dashboard as one HTML file that needs nothing else."""
    from vibecheck.analytics.report import page

    out.write_text(page(*_known(period, model, source, step)), encoding="utf-8")
    typer.echo(f"{out} is written.")


def _known(
    period: str, model: str | None = None, source: str | None = None, step: str = "week"
) -> "tuple[Overview, Standing]":
    """What the records say of a time, and of the model in use."""
    from vibecheck.analytics.accuracy import STEPS
    from vibecheck.analytics.overview import PERIODS, Champion, look, stand
    from vibecheck.records.store import Store

    for option, value, allowed in (("--period", period, tuple(PERIODS)), ("--step", step, STEPS)):
        if value not in allowed:
            raise typer.BadParameter(f"{value!r} is not one of: {', '.join(allowed)}.", param_hint=option)
    settings, today = Settings.load(), datetime.now(UTC).date()
    store = Store.open(settings)
    try:
        manifest = _champion(settings)
        champion = Champion(manifest.version, manifest.promised_accuracy)
        overview = look(store.counting, today, period, model, source, step)
        return overview, stand(store.counting, champion, today)
    finally:
        store.close()


def _champion(settings: Settings) -> "Manifest":
    """What is known of the model in use: the registry's champion, else the embedded one."""
    from vibecheck.classifier import EMBEDDED
    from vibecheck.installed import Shelf
    from vibecheck.manifest import Manifest
    from vibecheck.registry import Registry

    registry = Registry.open(settings)
    try:
        champion = registry.champion()
    finally:
        registry.close()
    embedded = Manifest.read(EMBEDDED)
    if champion is None or champion.version == embedded.version:
        return embedded
    here = Shelf(settings.data).find(champion.version)
    return Manifest.read(here.folder) if here else Manifest(version=champion.version)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """The pictures in folders, and whatever else was named, in order."""
    from vibecheck.pictures import SUFFIXES

    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        else:
            yield path


def _answers(files: Iterable[Path], detect: bool) -> Iterator[tuple[dict, bool]]:
    """For each file what is said of it, and whether it could not be read."""
    from vibecheck.classifier import EMBEDDED, Classifier
    from vibecheck.faces import FaceDetector
    from vibecheck.pictures import read_file
    from vibecheck.reading import Reader

    reader = Reader(FaceDetector(), Classifier.load(EMBEDDED, Settings.load().threads))
    keys = ("path", "face", "mood", "confidence", "probabilities", "model", "error")
    for path in files:
        answer = dict.fromkeys(keys) | {"path": str(path)}
        unreadable = False
        try:
            picture = read_file(path)
            reading = reader.read_still(picture) if detect else reader.read_crop(picture)
            if reading.probabilities is None:
                raise NoFace("No face was found in this picture.")
        except PictureError as error:
            answer["error"] = str(error)
            unreadable = not isinstance(error, NoFace)
        else:
            face = reading.face
            confidence = max(reading.probabilities)
            answer |= {
                "face": {"x": face.x, "y": face.y, "width": face.width, "height": face.height}
                if detect
                else None,
                "mood": NAMES[reading.probabilities.index(confidence)],
                "confidence": confidence,
                "probabilities": dict(zip(NAMES, reading.probabilities, strict=True)),
                "model": reader.classifier.version,
            }
        yield answer, unreadable


def _printed(answers: Iterable[tuple[dict, bool]]) -> Iterator[tuple[dict, bool]]:
    """Print each answer as a line of JSON as soon as it is there."""
    for answer, unreadable in answers:
        typer.echo(json.dumps(answer))
        yield answer, unreadable


def _with_table(answers: Iterable[tuple[dict, bool]], count: int) -> list[tuple[dict, bool]]:
    """Print a table of the answers, with a progress bar on a terminal while they are made."""
    table = Table("picture", "mood", "confidence", "", box=None, pad_edge=False)
    made = []
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Reading faces", total=count)
        for answer, unreadable in answers:
            made.append((answer, unreadable))
            table.add_row(*_row(answer))
            progress.advance(task)
    if made:
        Console().print(table)
    return made


def _row(answer: dict) -> tuple[str, str, str, str]:
    path = escape(answer["path"])
    if answer["mood"] is None:
        return path, "", "", escape(answer["error"])
    emotion = BY_NAME[answer["mood"]]
    bar = "█" * round(answer["confidence"] * 20)
    return (
        path,
        f"{emotion.emoji} {emotion.title}",
        f"{answer['confidence']:.0%}",
        f"[{emotion.colour}]{bar}[/]",
    )


def run(commands: typer.Typer, name: str) -> None:
    """Run a command line; what goes wrong on purpose ends in a sentence and 1, not in a traceback."""
    try:
        commands(prog_name=name)
    except VibeCheckError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)


def main() -> None:
    """python -m vibecheck …"""
    run(app, "python -m vibecheck")
