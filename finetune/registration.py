"""A trained model → compiled, registered as challenger, judged, perhaps promoted.

The training is saved first (`keep`), so whatever fails here can be repeated:
`python -m finetune --register FOLDER`.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from finetune.data.collect import RECORDED, collect
from finetune.progress import Tell
from finetune.training import plan
from vibecheck.errors import RecordsError, VibeCheckError
from vibecheck.evaluation.evidence import threshold
from vibecheck.evaluation.report import HTML_FILE, JSON_FILE
from vibecheck.export.build import build
from vibecheck.models.installed import Installed, champion_version
from vibecheck.models.registry import Registry
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.settings import Settings
from vibecheck.training_runs.run_folder import MODEL, TRAINED, write_json
from vibecheck.vision.model_source import ModelFolder

if TYPE_CHECKING:
    from finetune.pipeline import FineTuneRequest
    from finetune.training.challenger import Learned

T = TypeVar("T")
# Seconds for which unreachable records are retried: a database restarts in that time.
PATIENCE = 900.0
LONGEST_PAUSE = 20.0


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training: the facts for the registry, and the source of its labels.

    `pictures` and `crops` are options of files of labels.
    """

    version: str
    base: str
    source: str
    pictures: str | None
    crops: bool
    about: dict[str, Any]
    trained_on: tuple[str, ...]

    @property
    def from_records(self) -> bool:
        """Whether every picture belongs to a prediction, which may have been deleted since."""
        return self.source in RECORDED


def keep(out: Path, base: Installed, learned: "Learned", request: "FineTuneRequest") -> Trained:
    """Write the model folder and the facts about it into `out`."""
    from finetune.training import challenger

    about = learned.about
    challenger.write(learned, base, out / MODEL)
    pictures = str(request.pictures.absolute()) if request.pictures else None
    source = request.source if request.source in RECORDED else str(Path(request.source).absolute())
    trained = Trained(about["version"], base.version, source, pictures, request.crops, about, learned.ids)
    write_json(out / TRAINED, asdict(trained))
    return trained


def read(out: Path) -> Trained:
    """What `keep` wrote. Raises VibeCheckError."""
    try:
        told = json.loads((out / TRAINED).read_text(encoding="utf-8"))
        return Trained(**told | {"trained_on": tuple(told["trained_on"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise VibeCheckError(
            f"{out} holds no finished training: --register takes the --out folder of a run."
        ) from error


def finish(
    settings: Settings,
    out: Path,
    request: "FineTuneRequest",
    tell: Tell,
    judging: Sequence[LabelledPicture] | None = None,
) -> None:
    """Register and judge the model that was trained in `out`; doing it again changes nothing more.

    `judging` are the labels that judge; None: they are collected again. Raises VibeCheckError.
    """
    trained = read(out)
    try:
        there = build(settings, ModelFolder(out / MODEL))
        with_retries(lambda: _register(settings, trained, there))
        tell({"event": "exported", "version": trained.version})
        plan.clear(out)
        if request.prove:
            with_retries(lambda: _judge(settings, out, request, trained, tell, judging))
        ended = with_retries(lambda: _ended(settings, out, trained.version))
    except (VibeCheckError, OSError) as error:
        raise VibeCheckError(
            f"{error} The trained model is kept: python -m finetune --register {out} continues from here."
        ) from error
    tell({"event": "finished", "version": trained.version, "out": str(out)} | ended)


def with_retries(attempt: Callable[[], T]) -> T:
    """What `attempt` returns; it is repeated while the records cannot be reached. Raises RecordsError."""
    give_up, pause = time.monotonic() + PATIENCE, 1.0
    while True:
        try:
            return attempt()
        except RecordsError as error:
            if time.monotonic() + pause > give_up:
                raise
            typer.echo(f"{error} Trying again in {pause:.0f} s.", err=True)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _register(settings: Settings, trained: Trained, there: Installed) -> None:
    metrics = {"fine_tuning": {"base": trained.base, "source": trained.source} | trained.about}
    with Registry.open(settings) as registry:
        registry.register(
            trained.version,
            there.manifest.origin,
            str(there.folder),
            metrics,
            datetime.now(UTC),
            trained.trained_on,
            all_recorded=trained.from_records,
            base=trained.base,
        )
        if registry.champion().version != trained.version:
            registry.challenge(trained.version)


def _judge(
    settings: Settings,
    out: Path,
    request: "FineTuneRequest",
    trained: Trained,
    tell: Tell,
    judging: Sequence[LabelledPicture] | None,
) -> None:
    """Judge against the champion of this moment, and promote if that was asked for."""
    from finetune.judging.judge import judge_challenger

    # Promoted already: by this run before it was ended, or by somebody.
    if champion_version(settings) == trained.version:
        return
    if judging is None:  # read again: some may have been deleted during the training, and others added
        source = "store" if trained.from_records else trained.source
        pictures = Path(trained.pictures) if trained.pictures else None
        judging = collect(settings, source, pictures=pictures, crops=trained.crops).judging
    report = judge_challenger(
        settings, trained.version, judging, request.reference, out, trained.trained_on, datetime.now(UTC)
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
            "evidence": seen.evidence,
            "threshold": threshold(report.attempt),
        }
    )
    if report.proved and request.promote_if_better:
        with Registry.open(settings) as registry:
            registry.promote(trained.version, report.reason, datetime.now(UTC))


def _ended(settings: Settings, out: Path, version: str) -> dict[str, Any]:
    """The fields of the `finished` event: the report, if one was written, and what became of the version."""
    with Registry.open(settings) as registry:
        proof, promoted = registry.get(version).proof, registry.champion().version == version
    report, html = (str(out / name) if (out / name).exists() else None for name in (JSON_FILE, HTML_FILE))
    return {"report": report, "html": html, "proved": bool(proof and proof.proved), "promoted": promoted}
