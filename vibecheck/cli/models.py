"""The commands about models: models list, promote, rollback, discard."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vibecheck.cli.records import open_store
from vibecheck.emotions import NAMES
from vibecheck.models.version import PROMOTED
from vibecheck.settings import Settings
from vibecheck.text.plurals import counted

if TYPE_CHECKING:
    from vibecheck.models.promotion import Trial
    from vibecheck.records.learned_calibration import LearnedCalibration

VERSION = Annotated[str, typer.Argument(help="A version that models list shows.", show_default=False)]
# The table is as wide as its content, so that names can be copied, also from a pipe.
WIDEST = 1000

app = typer.Typer(no_args_is_help=True, help="List, promote, roll back and discard models.")


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """List all registered models, and every promotion with its reason."""
    from vibecheck.models import promotion
    from vibecheck.models.installed import InstalledModels
    from vibecheck.models.registry import Registry
    from vibecheck.vision.classifier import EMBEDDED
    from vibecheck.vision.manifest import Manifest

    settings = Settings.load()
    registry, installed = Registry.open(settings), InstalledModels(settings.data)
    shipped = Manifest.read(EMBEDDED).version
    with open_store(settings) as store:
        compared = {each.version: each for each in promotion.trials(registry, store.statistics)}
        guard = promotion.guard(registry, store.statistics)
    champion = registry.champion().version
    rows: list[dict[str, Any]] = [
        {
            "version": each.version,
            "aliases": list(each.aliases),
            "origin": each.origin,
            "registered_at": each.registered_at.isoformat(),
            "trained_on": each.trained_on,
            "deleted_since": each.deleted,
            "proved": bool(each.proof and each.proof.proved),
            "proved_against": each.proof.against if each.proof and each.proof.proved else None,
            "comparison": _score(compared.get(each.version)),
            "discarded": each.discarded_at is not None,
            "metrics": dict(each.metrics),
            "calibration": _calibration(registry.calibrations.in_use(each.version)),
            "here": each.version == shipped or installed.find(each.version) is not None,
        }
        for each in registry.versions()
    ]
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    headings = "version", "", "on this machine", "registered (UTC)", "trained on", "proof", "calibration"
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        here = "ready" if row["here"] else "not built yet"
        when = row["registered_at"][:16].replace("T", " ")
        names = ", ".join([*row["aliases"], *(["discarded"] if row["discarded"] else [])])
        told = _learned(row), _tried(row, champion), _calibrated(row)
        table.add_row(escape(row["version"]), names, here, when, *told)
    console = Console(width=WIDEST)
    console.print(table)
    if advice := promotion.rollback_advice(guard):
        console.print(escape(advice), soft_wrap=True, highlight=False)
    for each in registry.promotions():
        line = f"{each.made_at:%Y-%m-%d %H:%M} UTC  {PROMOTED[each.kind]} {each.version}: {each.why}"
        console.print(escape(line), soft_wrap=True, highlight=False)


def _calibration(in_use: "LearnedCalibration | None") -> dict[str, Any] | None:
    """The calibration of a version as plain JSON; None for the one it shipped with."""
    if in_use is None or in_use.shipped:
        return None
    return {
        "id": in_use.id,
        "from": in_use.from_when.isoformat(),
        "audits": in_use.n,
        "temperature": in_use.temperature,
        "bias": dict(zip(NAMES, in_use.bias, strict=True)),
        "error_before": in_use.error_before,
        "error_after": in_use.error_after,
    }


def _calibrated(row: dict[str, Any]) -> str:
    found = row["calibration"]
    if found is None:
        return "as shipped"
    audits = counted(found["audits"], "audit")
    return f"on {audits} since {found['from'][:10]}, temperature {found['temperature']:.2g}"


def _learned(row: dict[str, Any]) -> str:
    """How much a version was trained on here, and how much of that was deleted since."""
    if not row["trained_on"]:
        return "–"
    gone = f", {row['deleted_since']} deleted since" if row["deleted_since"] else ""
    return f"{counted(row['trained_on'], 'prediction')}{gone}"


def _score(trial: "Trial | None") -> dict[str, Any] | None:
    """A comparison with the champion that is in progress, as plain JSON."""
    if trial is None or not trial.seen.n:
        return None
    seen = {name: getattr(trial.seen, name) for name in ("n", "won", "lost", "evidence", "low", "high")}
    verdict = {"proved": trial.verdict.proved, "reason": trial.verdict.reason, "needed": trial.verdict.needed}
    return {"against": trial.against, "threshold": trial.threshold} | seen | verdict


def _tried(row: dict[str, Any], champion: str) -> str:
    """The proof of a version, or the score of its comparison in progress."""
    score, against = row["comparison"], row["proved_against"]
    if against == champion or (score and score["proved"]):
        return "proved better"
    if score:
        evidence = f"evidence {score['evidence']:.3g} of {score['threshold']:g}"
        return f"won {score['won']}, lost {score['lost']}, {evidence}"
    if against:  # that champion was replaced since
        return f"proved better than {against}"
    return "not proved" if "proof" in row["metrics"] else "–"


@app.command()
def promote(
    version: VERSION,
    why: Annotated[
        str, typer.Option(help="Reason to record. Default: that of the proof.", show_default=False)
    ] = "",
    override: Annotated[
        str,
        typer.Option(metavar="REASON", help="Promote without proof, for this reason.", show_default=False),
    ] = "",
) -> None:
    """Make a version the champion of every running app.

    It has to be proved better than the current champion: see python -m finetune judge.
    """
    from vibecheck.models import promotion
    from vibecheck.models.registry import Registry

    settings = Settings.load()
    registry = Registry.open(settings)
    with open_store(settings) as store:
        for trial in promotion.trials(registry, store.statistics):
            if trial.version == version and trial.verdict.proved:
                promotion.keep_proof(registry, trial, datetime.now(UTC))
    proof = registry.get(version).proof
    why = override or why or (proof.reason if proof else "no proof")
    done = registry.promote(version, why, datetime.now(UTC), override=bool(override))
    typer.echo(
        f"{done.version} is the champion in place of {done.replaced}. "
        "python -m vibecheck models rollback undoes it."
    )


@app.command()
def rollback(why: Annotated[str, typer.Option(help="Reason to record.")] = "") -> None:
    """Make the previous champion the champion again."""
    from vibecheck.models.registry import Registry

    done = Registry.open(Settings.load()).rollback(datetime.now(UTC), why)
    typer.echo(f"{done.version} is the champion again, in place of {done.replaced}.")


@app.command()
def discard(version: VERSION) -> None:
    """Discard a challenger. It stays in the list."""
    from vibecheck.models.registry import Registry

    Registry.open(Settings.load()).discard(version, datetime.now(UTC))
    typer.echo(f"{version} is discarded.")
