"""python -m benchmarks live [--json]"""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def benchmarks() -> None:
    """Measure VibeCheck on this machine."""


@app.command()
def live(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """Frames returned of those sent, and the age of the mood drawn on them, over real WebRTC."""
    from benchmarks.live import run

    rows = run()
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:.3g}" for value in row.values()))
    Console().print(table)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
