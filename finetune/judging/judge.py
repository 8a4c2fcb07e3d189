"""Compares a challenger with the champion on the same pictures, as both run in the app.

Held-out labels that were requested at random decide (see `vibecheck.evaluation.compare`); the operator's
own reference set can veto. The result is a `Report`, whose proof is kept with the version.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from finetune.data import split
from finetune.judging.write_report import without_faces, write
from vibecheck.analytics.calibration_error import calibration_error
from vibecheck.emotions import NAMES
from vibecheck.errors import PictureError
from vibecheck.evaluation.compare import Comparison, compare, judge
from vibecheck.evaluation.report import BothScores, Changed, Report, Scores
from vibecheck.importing import label_files
from vibecheck.models.installed import folder_of
from vibecheck.models.registry import Registry
from vibecheck.records.labels.labelled import HELD_OUT, LabelledPicture
from vibecheck.settings import Settings
from vibecheck.vision.classifier import Classifier
from vibecheck.vision.crops import model_crop
from vibecheck.vision.detector import FaceDetector
from vibecheck.vision.faces import Face, face_filling
from vibecheck.vision.images import decode, read_file
from vibecheck.vision.reader import STILL_SIDE

# Pictures in memory at a time.
AT_ONCE = 256
EARLIEST = datetime.min.replace(tzinfo=UTC)


def judge_challenger(
    settings: Settings,
    champion: str,
    challenger: Path | str,
    held_out: Sequence[LabelledPicture],
    reference: Path | None,
    out: Path,
    trained_on: Collection[str],
    now: datetime,
) -> Report:
    """Compare a challenger (a compiled model folder, or a version) with the champion, a version.

    Of the labels `held_out`, those that may judge do; `reference` is a folder of labelled pictures or a CSV
    file (see `vibecheck.importing.label_files`), or None; `trained_on` are the ids of all predictions that
    the challenger was trained on. Writes `report.json` and `report.html` into `out`, and keeps the proof
    with the version if it is registered: only then does the report show faces, since deletions reach the
    reports that the registry knows. Raises VibeCheckError.
    """
    folders = (
        each if isinstance(each, Path) else folder_of(each, settings.data) for each in (champion, challenger)
    )
    models = [Classifier.load(folder, settings.threads) for folder in folders]
    with closing(Registry.open(settings)) as registry:
        learned = set(trained_on) | set(registry.trained_on(champion))
        rows, left_out = _judging(held_out, learned)
        judged = _Judged(models, split.units(rows))
        pictures: dict[str, bytes] = {}
        for row in rows:
            try:
                judged.take(
                    row.prediction_id, row.label, decode(row.picture, name="A kept picture"), row.face
                )
            except PictureError:
                left_out["unreadable picture"] += 1
            else:
                pictures[row.prediction_id] = row.picture
        judged.finish()
        own = _reference(models, reference) if reference else None
        attempt = registry.attempt(models[1].version, champion)
        report = _report(models, judged, own, len(set(trained_on)), left_out, attempt, now)
        known = {each.version: each for each in registry.versions()}.get(report.challenger)
        page = write(report, out, pictures if known else {}).resolve()
        if known is not None:
            registry.prove(report.challenger, report.proof(str(page)))
            if known.proof and known.proof.report not in ("", str(page)):
                without_faces(Path(known.proof.report))
    return report


def _judging(
    rows: Iterable[LabelledPicture], learned: set[str]
) -> tuple[list[LabelledPicture], Counter[str]]:
    """The labels that judge, one a prediction, and counts of the others by reason."""
    found: dict[str, LabelledPicture] = {}
    left_out: Counter[str] = Counter()
    for row in rows:
        if not row.judges:
            left_out["not drawn at random" if row.side == HELD_OUT else "trains"] += 1
        elif row.label not in NAMES:
            left_out["not a mood"] += 1
        elif row.prediction_id in learned:
            left_out["one of the models learned from it"] += 1
        elif row.prediction_id in found:
            left_out["twice"] += 1
        else:
            found[row.prediction_id] = row
    # In the order in which their labels came: see `vibecheck.evaluation.evidence`.
    order = sorted(
        found.values(), key=lambda row: (row.labelled_at or row.made_at or EARLIEST, row.prediction_id)
    )
    return order, left_out


class _Judged:
    """Labels and both models' answers for pictures that are added one by one."""

    def __init__(self, models: Sequence[Classifier], units: Mapping[str, str] | None = None) -> None:
        """`units` says who each picture is of; None: each of somebody else."""
        self._models, self._units = models, units or {}
        self.ids: list[str] = []
        self._labels: list[int] = []
        self._waiting: list[list[np.ndarray]] = [[] for _ in models]
        self._said: list[list[np.ndarray]] = [[np.empty((0, len(NAMES)))] for _ in models]

    def take(self, name: str, label: str, picture: np.ndarray, face: Face | None) -> None:
        """Add a picture; `face` is None for a face crop."""
        for model, crops in zip(self._models, self._waiting, strict=True):
            crops.append(model_crop(picture, face or face_filling(picture), model.side, model.manifest))
        self.ids.append(name)
        self._labels.append(NAMES.index(label))
        if len(self._waiting[0]) >= AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Run the models on what was added."""
        for model, crops, said in zip(self._models, self._waiting, self._said, strict=True):
            if crops:
                said.append(model.probabilities(np.stack(crops)))
                crops.clear()

    @property
    def truth(self) -> np.ndarray:
        """The labels: N indices of moods."""
        return np.array(self._labels, int)

    @property
    def units(self) -> list[str]:
        """Who each picture is of."""
        return [self._units.get(each, each) for each in self.ids]

    @property
    def probabilities(self) -> list[np.ndarray]:
        """N x 7 by each model."""
        return [np.concatenate(said) for said in self._said]


def _reference(models: Sequence[Classifier], source: Path) -> _Judged:
    """Both models on the operator's own labelled pictures. Raises LabelsError where there are none."""
    judged, detector = _Judged(models), FaceDetector()
    for each in label_files.read(source):
        if isinstance(each, label_files.RefusedPicture):
            continue
        try:
            picture = read_file(each.path)
            found = detector.find(picture) or detector.find(picture, STILL_SIDE)
            face = detector.refine(picture, found[0]) if found else None
            judged.take(str(each.path), each.label, picture, face)
        except PictureError:
            continue
    judged.finish()
    if not judged.ids:
        raise label_files.LabelsError(f"{source} holds no labelled picture that can be read.")
    return judged


def _report(
    models: Sequence[Classifier],
    judged: _Judged,
    own: _Judged | None,
    trained_on: int,
    left_out: Counter[str],
    attempt: int,
    now: datetime,
) -> Report:
    held_out = _compared(judged)
    reference = _compared(own) if own else None
    verdict = judge(held_out, reference, attempt)
    return Report(
        challenger=models[1].version,
        champion=models[0].version,
        made_at=now,
        proved=verdict.proved,
        reason=verdict.reason,
        needed=verdict.needed,
        attempt=attempt,
        trained_on=trained_on,
        left_out=dict(left_out),
        held_out=held_out,
        reference=reference,
        scores=_pair(judged) if judged.ids else None,
        reference_scores=_pair(own) if own else None,
        changed=_changed(judged),
    )


def _compared(judged: _Judged) -> Comparison:
    champion, challenger = (said.argmax(axis=1) for said in judged.probabilities)
    return compare(champion, challenger, judged.truth, judged.units)


def _pair(judged: _Judged) -> BothScores:
    champion, challenger = (scores(said, judged.truth) for said in judged.probabilities)
    return BothScores(champion, challenger)


def scores(probabilities: np.ndarray, truth: np.ndarray) -> Scores:
    """The scores of N x 7 probabilities against N indices of moods; N is at least 1."""
    answer = probabilities.argmax(axis=1)
    right = answer == truth
    confusion = np.zeros((len(NAMES), len(NAMES)), int)
    np.add.at(confusion, (truth, answer), 1)
    n, recognised = confusion.sum(axis=1), confusion.diagonal()
    return Scores(
        n=len(truth),
        right=int(right.sum()),
        accuracy=float(right.mean()),
        balanced_accuracy=float((recognised[n > 0] / n[n > 0]).mean()),
        ece=min(1.0, calibration_error(probabilities, truth)),
        bias=float(probabilities.max(axis=1).mean() - right.mean()),
        per_class={name: (int(k), int(of)) for name, k, of in zip(NAMES, recognised, n, strict=True)},
        confusion=tuple(tuple(map(int, row)) for row in confusion),
    )


def _changed(judged: _Judged) -> tuple[Changed, ...]:
    """The pictures on which only one model is right: lost ones first, by descending confidence."""
    champion, challenger = judged.probabilities
    rows = [
        Changed(
            name,
            NAMES[label],
            NAMES[first.argmax()],
            float(first.max()),
            NAMES[second.argmax()],
            float(second.max()),
        )
        for name, label, first, second in zip(judged.ids, judged.truth, champion, challenger, strict=True)
        if (first.argmax() == label) != (second.argmax() == label)
    ]
    return tuple(sorted(rows, key=lambda row: (row.won, -row.challenger_confidence, row.prediction_id)))
