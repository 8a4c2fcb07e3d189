"""python -m benchmarks …"""

import json
import logging
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vibecheck.cli.main import run as run_commands
from vibecheck.cli.progress_bar import progress_bar

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def benchmarks() -> None:
    """Measure VibeCheck on this machine."""
    # Streamlit warns when it is used without a running app, which is intended here.
    logging.disable(logging.WARNING)


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
Record = Annotated[bool, typer.Option("--record", help="Write the results into benchmarks/README.md.")]


@app.command()
def live(
    model: Annotated[
        Path | None, typer.Option(help="A model folder to run instead of the embedded one.")
    ] = None,
    visitors: Annotated[
        str, typer.Option(help="Numbers of simultaneous visitors of the running app, such as 1,2,4,8.")
    ] = "",
    seconds: Annotated[float, typer.Option(min=1, help="Duration of each measurement.")] = 8,
    joins: Annotated[int, typer.Option(min=0, help="Visitors that join and leave in the leak test.")] = 100,
    fps: Annotated[int, typer.Option(min=5, max=15, help="Frames per second of each camera.")] = 15,
    socket: Annotated[
        bool, typer.Option("--socket", help="Over WebSocket instead of WebRTC; with --visitors, both.")
    ] = False,
    as_json: Json = False,
    record: Record = False,
) -> None:
    """Throughput and latency of live video over WebRTC or WebSocket, for one visitor or several."""
    from benchmarks import fallback, many_visitors
    from benchmarks import live as one

    if visitors:
        _show("many", many_visitors.run(_numbers(visitors), seconds, joins, fps, socket), as_json, record)
    elif socket:
        _show("fallback", fallback.run(seconds), as_json, record)
    else:
        _show("live", one.run(model), as_json, record)


@app.command("live-while-training")
def live_while_training(
    turns: Annotated[int, typer.Option(min=1, help="Measurements without and with training.")] = 5,
    as_json: Json = False,
) -> None:
    """Live video while a model trains on the same machine."""
    from benchmarks.live_while_training import run

    _print(run(turns), as_json)


@app.command()
def inference(
    threads: Annotated[int, typer.Option(min=1, help="Threads per backend.")] = 2,
    rounds: Annotated[int, typer.Option(min=2, help="Faces per backend.")] = 30,
    keep: Annotated[Path | None, typer.Option(help="Keep the int8 ViT in this new folder.")] = None,
    as_json: Json = False,
    record: Record = False,
) -> None:
    """Latency and memory of a ViT-B/16 in each runtime and precision, and of the embedded model."""
    from benchmarks.inference import run

    _show("inference", run(threads, rounds, keep), as_json, record)


@app.command()
def store(
    rows: Annotated[
        str,
        typer.Option(help="Measure scaling instead, at these numbers of vibe checks: 10000,100000,1000000."),
    ] = "",
    as_json: Json = False,
    record: Record = False,
    predictions: Annotated[int, typer.Option(help="Number of vibe checks.")] = 1_000_000,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of the database; it is kept, and reused if it exists.")
    ] = None,
) -> None:
    """Time and memory of the dashboard's data over three years of records; with --rows, how it scales."""
    from benchmarks import growth
    from benchmarks.store import run

    if rows:
        _show("growth", growth.run(_numbers(rows)), as_json, record)
    else:
        _show("store", run(predictions, folder), as_json, record)


@app.command()
def startup(
    vit: Annotated[
        Path | None, typer.Option(help="An int8 ViT to run in 1 GB, as inference --keep FOLDER makes it.")
    ] = None,
    as_json: Json = False,
    record: Record = False,
) -> None:
    """Time from `streamlit run` to a usable page, and resident memory of the app."""
    from benchmarks.startup import run

    _show("startup", run(vit), as_json, record)


@app.command("all")
def everything(as_json: Json = False, record: Record = False) -> None:
    """Run live, live --visitors, inference, startup, store --rows and proof at small sizes (some minutes)."""
    from benchmarks import growth, inference, many_visitors, proof
    from benchmarks import live as one
    from benchmarks import startup as start

    with tempfile.TemporaryDirectory() as name:
        vit = Path(name) / "vit"
        _show("live", one.run(None), as_json, record)
        _show("inference", inference.run(1, 6, vit), as_json, record)
        _show("startup", start.run(vit), as_json, record)
    _show("many", many_visitors.run((1, 2, 4, 8), 8, 100, socket=True), as_json, record)
    _show("growth", growth.run((10_000, 100_000)), as_json, record)
    _show("proof", proof.run(), as_json, False)


@app.command()
def influence(
    weeks: Annotated[int, typer.Option(min=1, help="Simulated weeks per scenario.")] = 2000,
    as_json: Json = False,
) -> None:
    """Coverage of the accuracy's 95% interval with very active and hostile visitors (simulated)."""
    from benchmarks.influence import run

    _print(run(weeks), as_json)


@app.command()
def noise(
    runs: Annotated[int, typer.Option(min=1, help="How many challengers are trained on random labels.")] = 20,
    as_json: Json = False,
) -> None:
    """Whether a model trained on random labels is ever promoted."""
    from benchmarks.noise import run

    _print(run(runs), as_json)


@app.command()
def proof(as_json: Json = False) -> None:
    """How often a worse, equal or better challenger is proved, by kind of label and by test (simulated)."""
    from benchmarks.proof import labels_needed, one_after_another, over_years, returning, run

    for rows in run, labels_needed:
        _print(rows(), as_json)
    for row in one_after_another, over_years, returning:
        _print([row()], as_json)


@app.command()
def shadow(
    model: Annotated[Path, typer.Option(help="Folder of the shadow model, as inference --keep leaves it.")],
    presses: Annotated[int, typer.Option(min=1, help="Vibe checks per block.")] = 30,
    as_json: Json = False,
) -> None:
    """Latency of a vibe check, from press to disk, with and without a shadow model."""
    from benchmarks.shadow import run

    _print(run(model, presses), as_json)


@app.command()
def finetune(
    data: Annotated[Path, typer.Option(help="Folder with FER+'s valid.parquet and test.parquet.")],
    runs: Annotated[int, typer.Option(min=1, help="Draws of faces, each with and without wrong labels.")] = 3,
    as_json: Json = False,
) -> None:
    """Cost of fine-tuning, and its accuracy gain on faces from another camera."""
    from benchmarks.finetune import camera, cost

    _print(cost(data), as_json)
    _print(camera(data, runs), as_json)


@app.command()
def calibration(
    data: Annotated[
        Path,
        typer.Option(help="Folder with ferplus/test.parquet, muxspace/faces.parquet, or both."),
    ],
    runs: Annotated[int, typer.Option(min=1, help="Simulated runs per deployment.")] = 20,
    as_json: Json = False,
    record: Record = False,
) -> None:
    """Calibration error (ECE) as shipped and after calibration on 50 to 400 audits (simulated)."""
    from benchmarks.calibration import run

    rows, ways, missing = run(data, runs)
    for name in missing:
        typer.echo(f"{data / name} is missing; its rows are left out.", err=True)
    if not rows:
        raise typer.Exit(1)
    _show("calibration", rows, as_json, record)
    _show("calibration-ways", ways, as_json, record)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="Duration of the stream.")] = 30.0,
    as_json: Json = False,
) -> None:
    """Soak test: resident memory of the app while Chromium streams to it."""
    from benchmarks.soak import run

    with progress_bar() as bar:
        task = bar.add_task("Streaming", total=minutes)
        rows = run(minutes, lambda done, mb: bar.update(task, completed=done, description=f"{mb:.0f} MB"))
    _print(rows, as_json)


@app.command()
def crash(
    kills: Annotated[int, typer.Option(min=1, help="Number of kills.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the random moments.")] = 1,
    database: Annotated[str, typer.Option(help="URL of an empty database. Default: SQLite.")] = "",
    as_json: Json = False,
) -> None:
    """SIGKILL crash test: kill the app during vibe checks, and compare the records with what was shown."""
    from benchmarks.crash import run

    with progress_bar() as bar:
        task = bar.add_task("Killing", total=kills)
        rows = run(kills, seed, database, lambda done: bar.update(task, completed=done))
    _print(rows, as_json)
    if rows[0]["faultless"] != "True":
        raise typer.Exit(1)


def _numbers(text: str) -> list[int]:
    """Positive whole numbers, separated by commas."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise typer.BadParameter(f"{text!r} is not a list of positive whole numbers such as 1,2,4.")
    return [int(part) for part in parts]


def _show(name: str, rows: list[dict], as_json: bool, record: bool) -> None:
    """Print the results, and with `record` write them into the README."""
    _print([{"benchmark": name} | row for row in rows] if as_json else rows, as_json)
    if record:
        from benchmarks.harness.record import write

        write(name, rows)


def _print(rows: list[dict], as_json: bool) -> None:
    """Print rows as lines of JSON, or as a transposed table, which fits the screen better."""
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    table = Table("", *(str(number) for number in range(1, len(rows) + 1)))
    for name in dict.fromkeys(name for row in rows for name in row):
        table.add_row(name, *(_cell(row.get(name)) for row in rows))
    Console().print(table)


def _cell(value: str | float | list[str] | None) -> str:
    if isinstance(value, list):
        return "\n".join(value) or "none"
    return value if isinstance(value, str) else "" if value is None else f"{value:,.4g}"


if __name__ == "__main__":
    run_commands(app)
