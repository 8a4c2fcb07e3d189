"""python -m benchmarks …"""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def benchmarks() -> None:
    """Measure VibeCheck on this machine."""
    # Streamlit warns that it is used without a running app, which here is meant.
    logging.disable(logging.WARNING)


@app.command()
def live(
    model: Annotated[
        Path | None, typer.Option(help="A model folder to run instead of the embedded one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Frames returned of those sent, and the age of the mood drawn on them, over real WebRTC."""
    from benchmarks.live import run

    _print(run(model), as_json)


@app.command()
def beside(
    turns: Annotated[int, typer.Option(min=1, help="Times without and with training.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Live video without and with a training run on the same machine: the rate it keeps."""
    from benchmarks.beside import run

    _print(run(turns), as_json)


@app.command()
def inference(
    threads: Annotated[int, typer.Option(min=1, help="Threads of each way.")] = 2,
    rounds: Annotated[int, typer.Option(min=2, help="Faces for each way.")] = 30,
    keep: Annotated[Path | None, typer.Option(help="Leave the ViT in 8 bits in this new folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """A ViT-B/16 by transformers.pipeline, PyTorch and ONNX Runtime, and the embedded model, side by side."""
    from benchmarks.inference import run

    _print(run(threads, rounds, keep), as_json)


@app.command()
def store(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    predictions: Annotated[int, typer.Option(help="How many vibe checks.")] = 1_000_000,
    labels: Annotated[int, typer.Option(help="About how many labels.")] = 200_000,
    folder: Annotated[
        Path | None, typer.Option(help="Keep the database here, and measure the one that is here.")
    ] = None,
) -> None:
    """Time and memory of the dashboard's data, with three years of records in SQLite."""
    from benchmarks.store import run

    _print(run(predictions, labels, folder), as_json)


@app.command()
def noise(
    runs: Annotated[int, typer.Option(min=1, help="How often labels are dealt out.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Whether a model that learned from labels given at random is ever promoted."""
    from benchmarks.noise import run

    _print(run(runs), as_json)


@app.command()
def proof(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """How often a worse or better challenger would be promoted, by which labels judge it (simulated)."""
    from benchmarks.proof import run

    _print(run(), as_json)


@app.command()
def finetune(
    data: Annotated[Path, typer.Option(help="Folder with FER+'s valid.parquet and test.parquet.")],
    runs: Annotated[int, typer.Option(min=1, help="Runs with other faces, with right and wrong labels.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """What fine-tuning costs, and what it brings on the faces of another camera."""
    from benchmarks.finetune import camera, cost

    for rows in (cost(data), camera(data, runs)):
        _print(rows, as_json)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long the camera stays on.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Memory of the real app while a real Chromium streams to it for half an hour."""
    from benchmarks.soak import run

    with _progress() as bar:
        task = bar.add_task("Streaming", total=minutes)
        rows = run(minutes, lambda done, mb: bar.update(task, completed=done, description=f"{mb:.0f} MB"))
    _print(rows, as_json)


@app.command()
def crash(
    kills: Annotated[int, typer.Option(min=1, help="How often the app is killed.")] = 100,
    seed: Annotated[int, typer.Option(help="Draws the moments.")] = 1,
    database: Annotated[str, typer.Option(help="URL of an empty database; else SQLite.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Kill the real app amid vibe checks and labels; look whether all that was acknowledged is there."""
    from benchmarks.crash import run

    with _progress() as bar:
        task = bar.add_task("Killing", total=kills)
        rows = run(kills, seed, database_url=database, tell=lambda done: bar.update(task, completed=done))
    _print(rows, as_json)
    if rows[0]["faultless"] != "True":
        raise typer.Exit(1)


def _progress() -> Progress:
    return Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _print(rows: list[dict], as_json: bool) -> None:
    """Rows as lines of JSON, or as a table with a column a row, which fits the screen better."""
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    table = Table("", *(str(number) for number in range(1, len(rows) + 1)))
    for name in rows[0]:
        table.add_row(name, *(_cell(row[name]) for row in rows))
    Console().print(table)


def _cell(value: str | float | list[str]) -> str:
    if isinstance(value, list):
        return "\n".join(value) or "none"
    return value if isinstance(value, str) else f"{value:.3g}"


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
