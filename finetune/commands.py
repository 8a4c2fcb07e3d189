"""The commands of python -m finetune."""

import json
from pathlib import Path
from typing import Annotated

import typer

from finetune.embedded.pretrain_recipe import PretrainRecipe
from finetune.judging.judge_command import judge
from finetune.train_command import fine_tune

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.callback(invoke_without_command=True)(fine_tune)
app.command()(judge)


@app.command()
def pretrain(
    data: Annotated[Path, typer.Option(help="Folder with FER+'s train.parquet and valid.parquet.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; its name becomes the version.")],
    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs.")] = PretrainRecipe.epochs,
    batch: Annotated[int, typer.Option(min=2, help="Batch size.")] = PretrainRecipe.batch,
    rate: Annotated[
        float, typer.Option(min=0.001, help="Factor on the learning rate.")
    ] = PretrainRecipe.rate,
) -> None:
    """Train a model like the embedded one from scratch on FER+; prints a line of JSON after each epoch.

    Uses a GPU if there is one. An interrupted run resumes from its checkpoint in --out.
    """
    from finetune.embedded import ferplus
    from finetune.embedded.pretrain import pretrain
    from finetune.progress import as_line

    pretrain(
        ferplus.read(data / "train.parquet"),
        ferplus.read(data / "valid.parquet"),
        out,
        PretrainRecipe(epochs=epochs, batch=batch, rate=rate),
        lambda event: typer.echo(as_line(event)),
    )


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="Model folder with model.onnx and vibecheck.json.")],
    data: Annotated[Path, typer.Option(help="Parquet file of FER+.")],
    alter: Annotated[
        bool, typer.Option("--alter", help="Also evaluate darker, blurred, rotated … copies.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Evaluate a model on FER+ faces, as it runs in the app."""
    from finetune.embedded.evaluate import altered, evaluate
    from finetune.embedded.ferplus import read

    faces = read(data)
    result = evaluate(model, faces)
    if alter:
        result["altered"] = altered(model, faces)
    if as_json:
        typer.echo(json.dumps(result))
        return
    for name, value in result.items():
        if isinstance(value, dict):
            typer.echo(f"{name}:")
            for row, scores in value.items():
                columns = "  ".join(f"{column} {_short(score)}" for column, score in scores.items())
                typer.echo(f"  {row:24} {columns}")
        else:
            typer.echo(f"{name:26} {_short(value)}")


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
