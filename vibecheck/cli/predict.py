"""python -m vibecheck predict: the mood of pictures, without an app and without keeping anything."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from vibecheck.emotions import BY_NAME, NAMES
from vibecheck.errors import NoFace, PictureError
from vibecheck.settings import Settings
from vibecheck.vision.model_source import EMBEDDED_NAME

COULD_NOT_READ = 1


def predict(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, and folders.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    model: Annotated[
        str, typer.Option(help="embedded, champion, or a version that models list shows as ready.")
    ] = EMBEDDED_NAME,
    no_detect: Annotated[
        bool, typer.Option("--no-detect", help="Each picture is a face crop already: read the whole of it.")
    ] = False,
) -> None:
    """Say which mood the largest face of each picture shows.

    Exits with 0 if every file could be read as a picture, whether or not it shows a face; else with 1.
    """
    files = list(_files(paths))
    reading = _answers(files, model, detect=not no_detect)
    answers = list(_printed(reading)) if as_json else _with_table(reading, len(files))
    if not files:
        typer.echo(f"There are no pictures in {', '.join(map(str, paths))}.", err=True)
    if not files or any(unreadable for _, unreadable in answers):
        raise typer.Exit(COULD_NOT_READ)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """The pictures in folders, and whatever else was named, in order."""
    from vibecheck.vision.images import SUFFIXES

    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        else:
            yield path


def _answers(files: Iterable[Path], model: str, detect: bool) -> Iterator[tuple[dict, bool]]:
    """For each file what is said of it, and whether it could not be read."""
    from vibecheck.vision.images import read_file
    from vibecheck.vision.reader import Reader

    settings = Settings.load()
    reader = Reader.open(_folder(model, settings), settings.threads)
    keys = ("path", "face", "mood", "confidence", "probabilities", "model", "error")
    for path in files:
        answer = dict.fromkeys(keys) | {"path": str(path)}
        unreadable = False
        try:
            picture = read_file(path)
            reading = reader.read_still(picture) if detect else reader.read_crop(picture)
            if reading.probabilities is None or reading.face is None:
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


def _folder(model: str, settings: Settings) -> Path:
    """Where the named model runs from. Raises ModelError. The embedded one needs no records to be found."""
    from vibecheck.vision.classifier import EMBEDDED

    if model == EMBEDDED_NAME:
        return EMBEDDED
    from vibecheck.models import installed
    from vibecheck.models.registry import CHAMPION

    return installed.folder_of(installed.champion(settings) if model == CHAMPION else model, settings.data)


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
