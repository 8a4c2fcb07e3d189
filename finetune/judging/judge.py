"""Compares a challenger with the champion on the same faces, as both run in the app.

Labels that were requested at random decide (see `records/labels/judging_labels.py`), by what both models said
at the vibe check. Held-out pictures that a model has not read yet are read now. The operator's own
reference set can veto. The result is a `Report`, whose proof is kept with the version.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from finetune.judging.read_pictures import read_pictures, read_reference
from finetune.judging.write_report import without_faces, write
from finetune.metrics import scores
from vibecheck.analytics import model_comparison
from vibecheck.cli.records import open_store
from vibecheck.emotions import NAMES
from vibecheck.evaluation.compare import Comparison, judge, veto
from vibecheck.evaluation.evidence import Settled, settled_of
from vibecheck.evaluation.proof import Proof
from vibecheck.evaluation.report import BothScores, Changed, Report
from vibecheck.models.installed import folder_of
from vibecheck.models.registry import Registry
from vibecheck.records.labels.judging_labels import JudgedReadings, JudgingLabel
from vibecheck.records.labels.labelled import HELD_OUT, LabelledPicture
from vibecheck.records.readings import ShadowReading
from vibecheck.settings import Settings
from vibecheck.vision.classifier import Classifier


def judge_challenger(
    settings: Settings,
    challenger: Path | str,
    held_out: Sequence[LabelledPicture],
    reference: Path | None,
    out: Path,
    trained_on: Collection[str],
    now: datetime,
) -> Report:
    """Compare a challenger (a compiled model folder, or a version) with the champion.

    The labels that may judge are taken from the records and from the pictures `held_out`; `reference` is a
    folder of labelled pictures or a CSV file (see `vibecheck.importing.label_files`), or None; `trained_on`
    are the ids of all predictions that the challenger was trained on. Writes `report.json` and `report.html`
    into `out`, and keeps the proof with the version if it is registered: only then does the report show
    faces, since deletions reach the reports that the registry knows. Raises VibeCheckError.
    """
    ids = [row.prediction_id for row in held_out]
    with open_store(settings) as store, Registry.open(settings) as registry:
        folder = challenger if isinstance(challenger, Path) else folder_of(challenger, settings.data)
        folders = folder_of(registry.champion().version, settings.data), folder
        models = [Classifier.load(each, settings.threads) for each in folders]
        versions = [model.version for model in models]
        registered = {each.version: each for each in registry.versions()}
        recorded = store.with_pictures(ids)
        found, pictures, left_out = _judging(
            store.statistics.judged(versions, unread=True), versions, held_out, recorded, trained_on
        )
        made, unreadable = read_pictures(models, pictures, found.said)
        store.readings.add(
            each for each in made if each.prediction_id in recorded and each.version in registered
        )
        found = _with(found, made)
        faces = model_comparison.same_faces(found, versions[0], versions[1])
        both = sum(len(found.said.get(each.prediction_id, ())) == 2 for each in found.allowed(versions))
        left_out["unreadable picture"] += unreadable
        left_out["not read by both models"] += len(found.allowed(versions)) - both - unreadable
        left_out["more than three of one visitor and day"] += both - len(faces.labels)
        known = registered.get(versions[1])
        settled = settled_of(known.metrics, versions[0]) if known else None
        own = None
        if reference:
            own, left_out["unusable in the reference set"] = read_reference(models, reference)
        attempt = registry.attempt(versions[1], versions[0], take=True)
        trained = len(set(trained_on))
        kept = known.proof if known else None
        report = _report(versions, found, faces, settled, kept, own, trained, +left_out, attempt, now)
        shown = {name: row.picture for name, row in pictures.items() if row.picture is not None}
        page = write(report, out, {}).resolve()
        if known is not None:
            if kept and kept.report not in ("", str(page)):
                without_faces(Path(kept.report))  # that of an earlier proof
            registry.prove(report.challenger, report.proof(str(page)))
            # Faces only now: a report that the registry does not know would keep them for ever.
            write(report, out, shown)
            if gone := recorded - store.with_pictures(ids):  # deleted before the report was there
                write(report, out, {name: shown[name] for name in shown.keys() - gone})
    return report


def _judging(
    found: JudgedReadings,
    versions: Sequence[str],
    rows: Iterable[LabelledPicture],
    recorded: Collection[str],
    trained_on: Collection[str],
) -> tuple[JudgedReadings, dict[str, LabelledPicture], Counter[str]]:
    """The labels that judge, the held-out pictures among them, and counts of excluded labels by reason.

    `found` are those in the records; pictures that are not there bring their own labels.
    """
    known = {each.prediction_id for each in found.labels}
    pictures: dict[str, LabelledPicture] = {}
    left_out: Counter[str] = Counter()
    for row in rows:
        if row.prediction_id in pictures:
            left_out["twice"] += 1
        elif row.side != HELD_OUT:
            left_out["trains"] += row.prediction_id not in known
        elif not row.random or (row.prediction_id in recorded and row.prediction_id not in known):
            left_out["not drawn at random"] += 1
        elif row.label not in NAMES:
            left_out["not a mood"] += 1
        else:
            pictures[row.prediction_id] = row
    own = [_label(row) for row in pictures.values() if row.prediction_id not in known]
    mine = found.learned.get(versions[1], frozenset()) | set(trained_on)
    learned = {**found.learned, versions[1]: mine}
    # In the order in which the labels were given: see `vibecheck.evaluation.evidence`.
    labels = sorted([*found.labels, *own], key=lambda each: (each.given_at, each.prediction_id))
    found = replace(found, labels=tuple(labels), learned=learned)
    allowed = {each.prediction_id for each in found.allowed(versions)}
    left_out["one of the models learned from its visitor"] += len(labels) - len(allowed)
    return found, {name: row for name, row in pictures.items() if name in allowed}, left_out


def _label(row: LabelledPicture) -> JudgingLabel:
    given_at = row.labelled_at or row.made_at
    return JudgingLabel(row.prediction_id, row.label, given_at, row.visitor, row.made_at, held_out=True)


def _with(found: JudgedReadings, made: Iterable[ShadowReading]) -> JudgedReadings:
    """Labels and readings, with more readings."""
    said = {name: dict(by_version) for name, by_version in found.said.items()}
    for each in made:
        said.setdefault(each.prediction_id, {})[each.version] = each.probabilities
    return replace(found, said=said)


def _report(
    versions: Sequence[str],
    found: JudgedReadings,
    faces: model_comparison.SameFaces,
    settled: Settled | None,
    kept: Proof | None,
    reference: Comparison | None,
    trained_on: int,
    left_out: Counter[str],
    attempt: int,
    now: datetime,
) -> Report:
    champion, challenger = versions
    held_out = model_comparison.compared(faces, settled)
    said = [model_comparison.probabilities(found, faces.labels, version) for version in versions]
    verdict = judge(held_out, reference, attempt)
    if kept and kept.proved and kept.against == champion and not veto(reference):
        verdict = kept  # it stays valid, for example when labels are deleted
    return Report(
        challenger=challenger,
        champion=champion,
        made_at=now,
        proved=verdict.proved,
        reason=verdict.reason,
        needed=verdict.needed,
        attempt=attempt,
        trained_on=trained_on,
        left_out=dict(left_out),
        held_out=held_out,
        reference=reference,
        scores=BothScores(*(scores(each, faces.truth) for each in said)) if faces.labels else None,
        changed=_changed(faces, said),
    )


def _changed(faces: model_comparison.SameFaces, said: Sequence[np.ndarray]) -> tuple[Changed, ...]:
    """The faces on which only one model is right: lost ones first, by descending confidence."""
    rows = [
        Changed(
            each.prediction_id,
            each.label,
            NAMES[first.argmax()],
            float(first.max()),
            NAMES[second.argmax()],
            float(second.max()),
        )
        for each, label, first, second in zip(faces.labels, faces.truth, *said, strict=True)
        if (first.argmax() == label) != (second.argmax() == label)
    ]
    return tuple(sorted(rows, key=lambda row: (row.won, -row.challenger_confidence, row.prediction_id)))
