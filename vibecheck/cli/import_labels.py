"""python -m vibecheck import: labelled pictures → the records."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vibecheck.cli.printable import printable, without_path
from vibecheck.cli.progress_bar import counting
from vibecheck.cli.records import open_store
from vibecheck.errors import ModelError
from vibecheck.settings import Settings
from vibecheck.text.plurals import counted
from vibecheck.vision.picture_folders import left_out_sentence

if TYPE_CHECKING:
    from vibecheck.importing.label_files import RefusedPicture
    from vibecheck.vision.reader import Reader

SHOWN = 20  # refusals in the summary for people; --json has them all


@dataclass
class ImportSummary:
    """The result of an import whose pictures `model` read: counts, and each refusal."""

    model: str
    counts: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    agreed: int = 0
    refused: list["RefusedPicture"] = field(default_factory=list)

    def as_json(self) -> str:
        """One object, with all refusals."""
        counts = {name: self.counts[name] for name in ("new", "known", "relabelled")}
        left_out = {name: self.left_out[name] for name in ("hidden", "video")}
        refused = [asdict(each) for each in self.refused]
        return json.dumps(
            counts | left_out | {"agreed": self.agreed, "model": self.model, "refused": refused}
        )

    def show(self) -> None:
        """Print the summary for people."""
        new, known, relabelled = (self.counts[name] for name in ("new", "known", "relabelled"))
        sentence = f"{counted(new, 'picture')} imported"
        if known:
            sentence += f", {known} already there"
        if relabelled:
            sentence += f", {relabelled} already there and given another label"
        typer.echo(f"{sentence}, {len(self.refused)} refused.")
        if sentence := left_out_sentence(self.left_out):
            typer.echo(sentence)
        if imported := self.counts.total():
            typer.echo(f"{self.model} agrees with the label in {self.agreed / imported:.0%} of them.")
        if not self.refused:
            return
        table = Table("row", "picture", "refused because", box=None, pad_edge=False)
        table.columns[1].overflow = "fold"
        for each in self.refused[:SHOWN]:
            row = "" if each.row is None else str(each.row)
            reason = without_path(each.reason, each.path)
            table.add_row(row, escape(printable(each.path)), escape(reason))
        Console().print(table)
        if (more := len(self.refused) - SHOWN) > 0:
            typer.echo(f"… and {more} more; --json names them all.")


def import_labels(
    labels: Annotated[
        Path,
        typer.Argument(
            help="A CSV file with the columns path and label, optionally visitor and timestamp; "
            "or a folder with a subfolder for each mood.",
            show_default=False,
        ),
    ],
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Folder that contains the pictures; paths are relative to it.",
            exists=True,
            file_okay=False,
            show_default="that of the CSV file",
        ),
    ] = None,
    crops: Annotated[bool, typer.Option("--crops", help="The pictures are face crops already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Import labelled pictures as predictions with feedback; existing ones are left unchanged.

    Exits with 0 if no picture was refused, else with 1.
    """
    from vibecheck.importing import label_files
    from vibecheck.importing.importer import Importer

    total = label_files.count(labels)
    settings = Settings.load()
    reader = _reader(settings)
    summary = ImportSummary(reader.classifier.version)
    with open_store(settings) as store, counting("Importing", total) as advance:
        importer = Importer(
            store, reader, crops=crops, now=datetime.now(UTC), retention_days=settings.retention_days
        )
        for outcome in importer.run(label_files.read(labels, pictures, summary.left_out)):
            if isinstance(outcome, label_files.RefusedPicture):
                summary.refused.append(outcome)
            else:
                summary.counts[outcome.status] += 1
                summary.agreed += outcome.agreed
            advance(1)
    if as_json:
        typer.echo(summary.as_json())
    else:
        summary.show()
    if summary.refused:
        raise typer.Exit(1)


def _reader(settings: Settings) -> "Reader":
    """Reads like visitors' photos, with the champion; with the embedded model until that is ready."""
    from vibecheck.models import installed
    from vibecheck.vision.reader import Reader

    try:
        return installed.reader_of(installed.champion_version(settings), settings)
    except ModelError as error:
        typer.echo(f"{error} Meanwhile the embedded model reads the pictures.", err=True)
        return Reader.open(threads=settings.threads)
