"""python -m vibecheck predict: the mood in pictures and videos; nothing is kept."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vibecheck.cli.output_file import check_output, output_file
from vibecheck.cli.printable import printable, without_path
from vibecheck.cli.progress_bar import counting
from vibecheck.emotions import BY_NAME, NAMES, Distribution
from vibecheck.errors import NoFace, PictureError
from vibecheck.settings import Settings
from vibecheck.text.plurals import counted
from vibecheck.vision.model_source import EMBEDDED_NAME
from vibecheck.vision.picture_folders import is_video, left_out_sentence, pictures_in

if TYPE_CHECKING:
    from vibecheck.video.clip import ClipReading, ClipSummary
    from vibecheck.vision.reader import Reader, Reading

PLOTS = (".png", ".html")


def predict(
    paths: Annotated[
        list[Path],
        # What cannot be read is reported beside the others.
        typer.Argument(help="Pictures, folders and videos.", readable=False, show_default=False),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    model: Annotated[
        str, typer.Option(help="embedded, champion, or a version that models list shows as ready.")
    ] = EMBEDDED_NAME,
    no_detect: Annotated[
        bool, typer.Option("--no-detect", help="The pictures are face crops already.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.02, help="For videos: seconds between readings.")] = 0.2,
    plot: Annotated[
        Path | None, typer.Option(help="For one video: write its timeline to this .png or .html file.")
    ] = None,
) -> None:
    """Print the mood of the largest face in each picture; for a video, the mood over time.

    Exits with 0 if every file could be read, with or without a face, else with 1.
    """
    left_out: Counter[str] = Counter()
    files = [each for path in paths for each in pictures_in(path, left_out)]
    videos = [path for path in files if is_video(path)]
    if plot and (len(videos) != 1 or plot.suffix.lower() not in PLOTS):
        raise typer.BadParameter(
            "Name one video, and a file that ends in .png or .html.", param_hint="--plot"
        )
    if plot:
        check_output(plot)
    settings = Settings.load()
    reader = _reader(model, settings)
    well = _predict_pictures(
        [path for path in files if not is_video(path)], reader, detect=not no_detect, as_json=as_json
    )
    for path in videos:
        well &= _predict_video(path, reader, every, as_json, plot)
    if not files:
        typer.echo(f"There are no pictures in {', '.join(map(str, paths))}.", err=True)
    if sentence := left_out_sentence(left_out):
        typer.echo(sentence, err=True)
    if not (files and well):
        raise typer.Exit(1)


def _reader(model: str, settings: Settings) -> "Reader":
    """A reader with the named model. Raises ModelError."""
    from vibecheck.vision.reader import Reader

    if model == EMBEDDED_NAME:  # needs no records
        return Reader.open(threads=settings.threads)
    from vibecheck.models import installed
    from vibecheck.models.registry import CHAMPION

    version = installed.champion_version(settings) if model == CHAMPION else model
    return installed.reader_of(version, settings)


def _predict_pictures(files: list[Path], reader: "Reader", detect: bool, as_json: bool) -> bool:
    """Print what each picture shows; returns whether all could be read."""
    made = []
    with counting("Reading faces", len(files), as_json) as advance:
        for path in files:
            made.append(_answer(path, reader, detect))
            if as_json:
                typer.echo(json.dumps(made[-1][0]))
            advance(1)
    if made and not as_json:
        _print_table([answer for answer, _ in made])
    return all(readable for _, readable in made)


def _answer(path: Path, reader: "Reader", detect: bool) -> tuple[dict, bool]:
    """What is printed about a picture, and whether it could be read as one."""
    from vibecheck.vision.images import read_file

    try:
        picture = read_file(path)
        reading = reader.read_still(picture) if detect else reader.read_crop(picture)
        if reading.face is None:
            raise NoFace("No face was found in this picture.")
    except PictureError as error:
        return _no_answer(path) | {"error": str(error)}, isinstance(error, NoFace)
    whole = {} if detect else {"face": None}
    return _no_answer(path) | _mood(reading, reading) | whole, True


def _no_answer(path: Path) -> dict:
    keys = ("face", "mood", "confidence", "probabilities", "hints", "model", "error")
    return {"path": str(path)} | dict.fromkeys(keys)


def _mood(reading: "Reading", shown: "Reading | Distribution | None") -> dict:
    """The face that was read, and the mood shown for it; nothing without a face."""
    face = reading.face
    if face is None or shown is None or shown.probabilities is None:
        return {}
    return {
        "face": {"x": face.x, "y": face.y, "width": face.width, "height": face.height},
        "mood": shown.mood,
        "confidence": shown.confidence,
        "probabilities": dict(zip(NAMES, shown.probabilities, strict=True)),
        "model": reading.model.version,
        "hints": list(reading.hints),
    }


def _predict_video(path: Path, reader: "Reader", every: float, as_json: bool, plot: Path | None) -> bool:
    """Print the mood of a video over time, and plot it; returns whether all of it could be read."""
    from vibecheck.analytics.clip_chart import clip_chart
    from vibecheck.video.clip import Clip, summarise

    readings: list[ClipReading] = []
    try:
        with Clip(path) as clip, counting(f"Reading {path.name}", clip.seconds, as_json) as advance:
            for each in clip.read(reader, every):
                if as_json:
                    when = {"at_s": round(each.at_s, 3), "faces": len(each.reading.faces)}
                    typer.echo(json.dumps(_no_answer(path) | when | _mood(each.reading, each.mood)))
                advance(each.at_s - (readings[-1].at_s if readings else 0.0))
                readings.append(each.without_pixels())
    except PictureError as error:
        typer.echo(json.dumps(_no_answer(path) | {"error": str(error)}) if as_json else printable(str(error)))
        return False
    summary = summarise(readings, every, clip.end)
    damage = "" if clip.damaged_at is None else f"It is damaged or cut short after {clip.damaged_at:.1f} s."
    if as_json:
        told = asdict(summary) | {"seconds": round(summary.seconds, 3), "mood": summary.prevailing}
        typer.echo(json.dumps({"path": str(path), "summary": told, "error": damage or None}))
    else:
        _print_summary(path, summary, damage)
    if plot:
        moods = [(each.at_s, each.mood) for each in readings]
        _plot(plot, clip_chart(moods, every, printable(path.name), clip.end))
    return not damage


def _plot(out: Path, chart: dict) -> None:
    """Write the timeline. Raises VibeCheckError."""
    import vl_convert

    with output_file(out) as file:
        if out.suffix.lower() == ".png":
            file.write(vl_convert.vegalite_to_png(chart, scale=2))
        else:
            file.write(vl_convert.vegalite_to_html(chart, bundle=True).encode())


def _print_table(answers: list[dict]) -> None:
    table = Table("picture", "mood", "confidence", "", box=None, pad_edge=False)
    table.columns[0].overflow = table.columns[3].overflow = "fold"
    for answer in answers:
        path = escape(printable(answer["path"]))
        if answer["mood"] is None:
            table.add_row(path, "", "", escape(without_path(answer["error"], answer["path"])))
            continue
        mood, bar = _drawn(answer["mood"], answer["confidence"])
        table.add_row(path, mood, f"{answer['confidence']:.0%}", f"{bar} {' '.join(answer['hints'])}")
    Console().print(table)


def _drawn(mood: str, share: float) -> tuple[str, str]:
    """The title of a mood, and a bar in its colour as long as its share."""
    emotion = BY_NAME[mood]
    return f"{emotion.emoji} {emotion.title}", f"[{emotion.colour}]{'█' * round(share * 20)}[/]"


def _print_summary(path: Path, summary: "ClipSummary", damage: str) -> None:
    typer.echo(
        f"{printable(str(path))}: {summary.seconds:.1f} s, {counted(summary.readings, 'reading')}, "
        f"{counted(summary.changes, 'change')} of mood, "
        f"a face in {summary.face_share:.0%} of the time. {damage}".rstrip()
    )
    table = Table("mood", "share of time", "", box=None, pad_edge=False)
    for mood, share in summary.shares.items():
        title, bar = _drawn(mood, share)
        table.add_row(title, f"{share:.0%}", bar)
    if summary.shares:
        Console().print(table)
