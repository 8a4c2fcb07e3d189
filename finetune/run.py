"""One run of python -m finetune: from labels to a challenger that was judged.

    collect → plan → train → blend and recalibrate → compile, register, challenge → judge → perhaps promote

What it was doing lies in `--out`, so the same command goes on where a run was interrupted.
"""

import os
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.data.collect import Collected, check, collect
from finetune.training import base_model, plan
from finetune.training.base_model import Model
from finetune.training.trainer import Recipe, Tell
from vibecheck.errors import VibeCheckError
from vibecheck.models.installed import Installed
from vibecheck.models.registry import Registry
from vibecheck.settings import Settings
from vibecheck.training import estimate
from vibecheck.vision.classifier import Classifier
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.model_source import ModelFolder

if TYPE_CHECKING:
    from finetune.training.challenger import Learned

# The folder of the model in `--out`.
MODEL = "model"
# How long the other processes wait for the one that collects and fetches.
PATIENCE = timedelta(hours=6)


@dataclass(frozen=True)
class Request:
    """What the command was asked for; see its options."""

    source: str = "store"
    base: str | None = None
    out: Path | None = None
    since: datetime | None = None
    pictures: Path | None = None
    crops: bool = False
    device: str = "auto"
    epochs: int | None = None
    reference: Path | None = None
    promote_if_better: bool = False
    prove: bool = True


@dataclass(frozen=True, slots=True)
class Looked:
    """What a dry run finds: nothing is changed by it."""

    collected: Collected
    base: Model
    device: str
    needs: estimate.Estimate


def look(settings: Settings, request: Request) -> Looked:
    """What would be done. Raises VibeCheckError, also where there is nothing to learn from."""
    base = _base(settings, request)
    collected = collect(
        settings,
        request.source,
        request.since,
        pictures=request.pictures,
        crops=request.crops,
        keep_sides=False,
    )
    check(collected)
    device = device_of(request.device)
    return Looked(collected, base, device, _needs(base, collected, request.epochs, device))


def run(settings: Settings, request: Request, tell: Tell) -> None:
    """Make a challenger, judge it, and promote it if that was asked for and it was proved.

    `tell` gets the events that docs/fine-tuning.md describes. Raises VibeCheckError. Under
    `accelerate launch` every process calls it; the first one does all but the training itself.
    """
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    from finetune.training import challenger

    device = device_of(request.device)
    many = int(os.environ.get("WORLD_SIZE", "1")) > 1
    state = PartialState(cpu=device == "cpu", timeout=PATIENCE) if many else None
    first = state is None or state.is_main_process
    started: list[Any] = [None]
    if first:
        started = [_start(settings, request, device, tell)]
    if state is not None:
        broadcast_object_list(started)
    start: _Started = started[0]
    learned = challenger.train(
        start.out, start.base, start.plan, start.recipe, start.kept, device, tell, first
    )
    if first:
        _finish(settings, request, start, learned, tell)


@dataclass(frozen=True, slots=True)
class _Started:
    """What every process needs to know. `kept` are the predictions that may still be learned from."""

    out: Path
    base: Model
    plan: plan.Plan
    recipe: Recipe
    kept: frozenset[str]
    collected: Collected | None = None
    champion: Model | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """For the other processes, without the pictures."""
        return _Started, (self.out, self.base, self.plan, self.recipe, self.kept)


def _start(settings: Settings, request: Request, device: str, tell: Tell) -> _Started:
    """Collect, check, and write down what is to be done; or read it, if the run was begun before."""
    base = _base(settings, request)
    champion = base_model.champion(settings)
    collected = collect(
        settings, request.source, request.since, pictures=request.pictures, crops=request.crops
    )
    now = datetime.now(UTC)
    version = f"ft-{now:%Y%m%d-%H%M%S}"
    out = (request.out or settings.data / "fine-tuning" / version).absolute()
    size = estimate.size_of(base.folder)
    recipe = recipe_of(size, request.epochs)
    wanted = plan.asked(request.source, base, champion, request.since, recipe)
    before = plan.read(out)
    if before is not None and not (out / plan.DATA).is_dir():
        raise VibeCheckError(f"The run in {out} is finished: name another folder with --out.")
    if before is None:
        check(collected)
        tell(told(collected))
        needs = _needs(base, collected, request.epochs, device)
        if not needs.enough:
            raise VibeCheckError(needs.refusal)
        before = plan.Plan(version, wanted, now.isoformat())
        out.mkdir(parents=True, exist_ok=True)
        plan.begin(out, before, collected, base, size.side, _classifier(champion))
    elif before.asked != wanted:
        raise VibeCheckError(
            f"{out} holds a run that was asked for something else: name another with --out, or delete it."
        )
    else:
        tell(told(collected))
    tell(
        {
            "event": "started",
            "stages": [stage for stage, epochs in recipe.stages.items() if epochs],
            "epochs": sum(recipe.stages.values()),
            "device": device,
            "base": base.version,
        }
    )
    kept = frozenset(row.prediction_id for row in collected.rows)
    return _Started(out, base, before, recipe, kept, collected, champion)


def _finish(settings: Settings, request: Request, start: _Started, learned: "Learned", tell: Tell) -> None:
    """Make the model folder, register it as challenger, and judge it."""
    from finetune.training import challenger

    assert start.collected is not None and start.champion is not None
    version, out = start.plan.version, start.out
    now = datetime.now(UTC)
    folder = out / MODEL
    challenger.write(learned, start.base, version, folder)
    there = _installed(settings, folder)
    with closing(Registry.open(settings)) as registry:
        origin = Manifest.read(there.folder).origin
        about = {"base": start.base.version, "source": start.plan.asked["source"]} | learned.about
        registry.register(version, origin, str(there.folder), {"fine_tuning": about}, now, learned.ids)
        registry.challenge(version)
    tell({"event": "exported", "version": version})
    plan.clear(out)
    finished: dict[str, Any] = {"event": "finished", "version": version, "out": str(out)}
    if not request.prove:
        tell(finished | {"report": None, "html": None, "proved": False, "promoted": False})
        return
    from finetune.judging.judge import judge_challenger

    report = judge_challenger(
        settings,
        start.champion.version,
        there.folder,
        start.collected.judging,
        request.reference,
        out,
        learned.ids,
        now,
    )
    seen = report.held_out
    tell(
        {
            "event": "judged",
            "proved": report.proved,
            "reason": report.reason,
            "needed": report.needed,
            "n": seen.n,
            "champion": seen.champion,
            "challenger": seen.challenger,
            "p": seen.p,
        }
    )
    promoted = report.proved and request.promote_if_better
    if promoted:
        with closing(Registry.open(settings)) as registry:
            registry.promote(version, report.reason, datetime.now(UTC))
    pages = {"report": str(out / "report.json"), "html": str(out / "report.html")}
    tell(finished | pages | {"proved": report.proved, "promoted": promoted})


def recipe_of(size: estimate.Size, epochs: int | None) -> Recipe:
    """The recipe that suits a network of this size; `epochs` are those in which all of it learns."""
    passes = estimate.passes_for(size, epochs)
    return Recipe(passes.head, passes.all, batch=passes.batch, frozen=passes.frozen)


def device_of(wanted: str) -> str:
    """The device to train on: an accelerator where there is one, unless another is wanted."""
    import torch

    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _base(settings: Settings, request: Request) -> Model:
    return base_model.named(settings, request.base) if request.base else base_model.champion(settings)


def _needs(base: Model, collected: Collected, epochs: int | None, device: str) -> estimate.Estimate:
    size = estimate.size_of(base.folder)
    passes = estimate.passes_for(size, epochs)
    return estimate.of(size, len(collected.train), len(collected.valid), passes, device)


def told(collected: Collected) -> dict[str, Any]:
    return {
        "event": "collected",
        "rows": len(collected.rows),
        "train": len(collected.train),
        "validation": len(collected.valid),
        "held_out": len(collected.held_out),
        "judging": len(collected.judging),
        "left_out": collected.left_out,
        "by_class": collected.by_class(),
        "unit": "visit" if collected.by_visit else "visitor",
    }


def _classifier(model: Model) -> Classifier:
    return Classifier.load(model.folder, os.cpu_count() or 1)


def _installed(settings: Settings, folder: Path) -> Installed:
    """The model of a folder, compiled and measured, where the app finds it."""
    from vibecheck.comet import fetch_model
    from vibecheck.export.build import build

    return build(settings, ModelFolder(folder), fetch_model, lambda progress: None)
