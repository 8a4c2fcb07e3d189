"""python -m benchmarks …"""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
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
def proof(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """How often a worse or better challenger would be promoted, by which labels judge it (simulated)."""
    from benchmarks.proof import run

    _print(run(), as_json)


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


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
