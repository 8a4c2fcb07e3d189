"""One run of python -m finetune: from labels to a challenger that was judged.

    collect → plan → train → mix weights, recalibrate → compile, register, challenge → judge → promote?

Its state is in `--out`, so the same command resumes an interrupted run.
"""

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from finetune import registration
from finetune.data.collect import TrainingData, check, collect
from finetune.progress import Tell
from finetune.training import base_model, plan
from vibecheck.errors import VibeCheckError
from vibecheck.models.installed import Installed, champion_version
from vibecheck.settings import Settings
from vibecheck.training_runs import estimate
from vibecheck.training_runs.run_folder import TRAINED
from vibecheck.vision.classifier import Classifier

if TYPE_CHECKING:
    from finetune.training.challenger import Learned

# How long the other processes wait for the one that collects and fetches.
PATIENCE = timedelta(hours=6)


@dataclass(frozen=True)
class FineTuneRequest:
    """The options of the command."""

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


def preview(settings: Settings, request: FineTuneRequest) -> tuple[dict[str, Any], list[str]]:
    """The `planned` event: what a run would do; and further sentences for people.

    Raises VibeCheckError, also where there is nothing to train on.
    """
    base, _, collected = _inputs(settings, request, keep_sides=False)
    check(collected)
    device, size = device_of(request.device), estimate.size_of(base.folder)
    recipe = estimate.recipe_for(size, request.epochs)
    needs = estimate.of(size, len(collected.train), len(collected.valid), recipe, device)
    planned = collected_event(collected) | {
        "event": "planned",
        "base": base.version,
        "device": device,
        "estimate": asdict(needs) | {"enough": needs.enough},
    }
    changed = "Nothing was changed."
    if request.source == "comet":
        changed = "Records and models were read back from Comet; nothing else was changed."
    return planned, [changed] if needs.enough else [needs.refusal, changed]


def run(settings: Settings, request: FineTuneRequest, tell: Tell) -> None:
    """Make a challenger, judge it, and promote it if that was asked for and it was proved.

    `tell` gets the events that docs/fine-tuning.md describes. Raises VibeCheckError. Under
    `accelerate launch` every process calls it; the first one does all but the training itself.
    """
    from accelerate import PartialState

    device = device_of(request.device)
    distributed = int(os.environ.get("WORLD_SIZE", "1")) > 1
    state = PartialState(cpu=device == "cpu", timeout=PATIENCE) if distributed else None
    if state is not None and not state.is_main_process:
        _train(None, device, tell, state)
        return
    version = _new_version(datetime.now(UTC))
    out = (request.out or settings.data / "fine-tuning" / version).absolute()
    with plan.locked(out):
        base, planned, collected = _start(settings, request, out, version, device, tell)
        learned = _train((out, base, planned), device, tell, state)
        assert learned is not None
        trained = registration.keep(out, base, learned, request)
        judging = None if trained.from_records else collected.judging
        registration.finish(settings, out, request, tell, judging)


def _new_version(now: datetime) -> str:
    """A name for the model; another machine may start a run in the same second."""
    return f"ft-{now:%Y%m%d-%H%M%S}-{token_hex(2)}"


def _train(
    inputs: tuple[Path, Installed, plan.RunPlan] | None, device: str, tell: Tell, state: Any
) -> "Learned | None":
    """Train, in every process. Only the first one has the inputs, and gets the result."""
    from accelerate.utils import broadcast_object_list

    from finetune.training import challenger

    shared = [inputs]
    if state is not None:
        broadcast_object_list(shared)
    out, base, agreed = shared[0]
    return challenger.train(out, base, agreed, device, tell, state)


def _start(
    settings: Settings, request: FineTuneRequest, out: Path, version: str, device: str, tell: Tell
) -> tuple[Installed, plan.RunPlan, TrainingData]:
    """Collect, check, and write the plan and the data; or continue the plan of an interrupted run."""
    before = plan.read(out)
    if (out / TRAINED).exists():
        raise VibeCheckError(
            f"The run in {out} is finished: name another folder with --out. If its model is not registered, "
            f"python -m finetune --register {out} does so."
        )
    # A run continues with the champion that it began with, even if another one was promoted since.
    base, champion, collected = _inputs(
        settings, request, champion=before.asked.get("champion") if before else None
    )
    size = estimate.size_of(base.folder)
    recipe = estimate.recipe_for(size, request.epochs)
    wanted = {
        "source": request.source,
        "base": base.version,
        "champion": champion.version,
        "since": request.since and request.since.isoformat(),
        "recipe": asdict(recipe),
    }
    if before is None:
        check(collected)
        needs = estimate.of(size, len(collected.train), len(collected.valid), recipe, device)
        if not needs.enough:
            raise VibeCheckError(needs.refusal)
        if lacking := needs.disk_refusal(out):
            raise VibeCheckError(lacking)
        labels = [
            {row.prediction_id: row.label for row in part} for part in (collected.train, collected.valid)
        ]
        before = plan.RunPlan(version, wanted, datetime.now(UTC).isoformat(), *labels)
        plan.write(out, before)
    elif before.asked != wanted:
        raise VibeCheckError(
            f"{out} holds a run with other options: name another folder with --out, or delete it."
        )
    tell(collected_event(collected))
    teacher = Classifier.load(champion.folder, os.cpu_count() or 1)
    plan.write_data(out, before, collected, base, size.side, teacher)
    tell(
        {
            "event": "started",
            "stages": [stage for stage, epochs in recipe.stages.items() if epochs],
            "epochs": sum(recipe.stages.values()),
            "device": device,
            "base": base.version,
            "out": str(out),
        }
    )
    return base, before, collected


def device_of(wanted: str) -> str:
    """The device to train on; "auto": an accelerator if there is one. Raises VibeCheckError without it."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(device for device, available in there.items() if available)
    if not there[wanted]:
        raise VibeCheckError(f"This machine has no {wanted} device: leave out --device, or use --device cpu.")
    return wanted


def _inputs(
    settings: Settings, request: FineTuneRequest, keep_sides: bool = True, champion: str | None = None
) -> tuple[Installed, Installed, TrainingData]:
    """The base, the champion (None: the one that runs) and the data.

    The data come first: reading Comet back also brings the registry.
    """
    collected = collect(
        settings,
        request.source,
        request.since,
        pictures=request.pictures,
        crops=request.crops,
        keep_sides=keep_sides,
    )
    teacher = base_model.find_or_build(settings, champion or champion_version(settings))
    base = base_model.find_or_build(settings, request.base) if request.base else teacher
    return base, teacher, collected


def collected_event(collected: TrainingData) -> dict[str, Any]:
    """The event that says what was collected."""
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
