"""python -m finetune …"""

import json
import math
from pathlib import Path
from typing import Annotated

import typer

from finetune.command import fine_tune
from finetune.embedded.recipe import Recipe
from finetune.judging.command import judge
from vibecheck.cli.main import run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.callback(invoke_without_command=True)(fine_tune)
app.command()(judge)


@app.command()
def pretrain(
    data: Annotated[Path, typer.Option(help="Folder with FER+'s train.parquet and valid.parquet.")],
    out: Annotated[Path, typer.Option(help="Folder of the model; its name becomes the version.")],
    architecture: Annotated[
        str, typer.Option(help="One of finetune/embedded/architectures.py.")
    ] = Recipe.architecture,
    epochs: Annotated[int, typer.Option(min=1)] = Recipe.epochs,
    side: Annotated[int, typer.Option(min=32, max=224, help="Side of the model's input, px.")] = Recipe.side,
    small_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of epochs at 64 px.")
    ] = Recipe.small_share,
    rate: Annotated[float, typer.Option(min=0.001, help="Factor of the learning rate.")] = Recipe.rate,
    calm_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of epochs with plain faces.")
    ] = Recipe.calm_share,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = Recipe.seed,
    minutes: Annotated[float, typer.Option(help="Stop after so many; the same command goes on.")] = math.inf,
) -> None:
    """Train the embedded model from scratch on FER+; prints a line of JSON after each epoch.

    A run that was interrupted goes on from its checkpoint in --out.
    """
    from finetune.embedded.ferplus import read
    from finetune.embedded.pretrain import as_line, pretrain

    train, valid = read(data / "train.parquet"), read(data / "valid.parquet")
    recipe = Recipe(
        architecture,
        epochs,
        side,
        small_share=small_share,
        calm_share=calm_share,
        rate=rate,
        seed=seed,
    )
    done = pretrain(train, valid, out, recipe, lambda event: typer.echo(as_line(event)), minutes)
    if not done:
        typer.echo("Not finished yet: the same command goes on from here.", err=True)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="A model folder with model.onnx and vibecheck.json.")],
    data: Annotated[Path, typer.Option(help="A parquet file of FER+.")],
    prior: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Strength of the prior's correction; else the model's."),
    ] = None,
    alter: Annotated[bool, typer.Option("--alter", help="Also on darker, blurred, turned … copies.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Judge a model on FER+ faces, as it runs in the app."""
    from finetune.embedded.evaluate import altered, evaluate
    from finetune.embedded.ferplus import read

    faces = read(data)
    result = evaluate(model, faces, prior)
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


if __name__ == "__main__":
    run(app, "python -m finetune")
