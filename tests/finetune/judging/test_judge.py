"""Judging with real models: the embedded one, and a copy of it that gives wrong answers."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from finetune.data.collect import collect
from finetune.judging import judge as judging
from finetune.judging.judge import judge_challenger
from finetune.metrics import scores
from tests.databases import open_store
from tests.records.examples import a_prediction
from vibecheck.emotions import NAMES
from vibecheck.errors import LabelsError, ModelError, RecordsError
from vibecheck.evaluation.report import Report
from vibecheck.models import promotion
from vibecheck.models.registry import Registry
from vibecheck.records.labels.labelled import HELD_OUT, LabelledPicture
from vibecheck.records.readings import ShadowReading
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.crops import kept_crop
from vibecheck.vision.detector import FaceDetector
from vibecheck.vision.images import decode, encode_jpeg
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.sample_faces import lfw_faces

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHIPPED = Manifest.read(EMBEDDED).version


@pytest.fixture(scope="module")
def confused(tmp_path_factory) -> Path:
    """A model folder whose answers are always wrong where the embedded model's are right."""
    folder = tmp_path_factory.mktemp("models") / "confused"
    shutil.copytree(EMBEDDED, folder)
    config = json.loads((folder / "config.json").read_text())
    labels = [config["id2label"][str(i)] for i in range(len(config["id2label"]))]
    config["id2label"] = {str(i): label for i, label in enumerate(labels[1:] + labels[:1])}
    (folder / "config.json").write_text(json.dumps(config))
    manifest = Manifest.read(folder).model_copy(update={"version": "confused", "prior_strength": 0.0})
    manifest.write(folder)
    return folder


@pytest.fixture(scope="module")
def pictures(astronaut, detector) -> tuple[bytes, bytes]:
    """What would be kept of the astronaut, who picturess; and a face crop of somebody who does not."""
    kept, _ = kept_crop(astronaut, detector.find(astronaut)[0])
    frown = cv2.resize(lfw_faces()[22], (100, 100))
    return encode_jpeg(kept), encode_jpeg(np.repeat(frown[..., np.newaxis], 3, axis=2))


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data=tmp_path / "data", model="embedded")


def held_out(prediction_id, label, picture, face) -> LabelledPicture:
    return LabelledPicture(
        None, None, label, None, NOW, prediction_id, side=HELD_OUT, picture=picture, face=face
    )


def rows(pictures, count=16):
    """Held-out labels that the embedded model would give too: smiles, and every other one a frown."""
    smile, frown = pictures
    (face,) = FaceDetector().find(decode(smile))
    smiles = [held_out(f"{number:032x}", "happy", smile, face) for number in range(count)]
    return [
        replace(row, picture=frown, face=None, label="angry") if number % 2 else row
        for number, row in enumerate(smiles)
    ]


def judged(settings, pictures, champion, challenger, given=None, reference=None, trained_on=()):
    given = rows(pictures) if given is None else given
    out = settings.data / "trial"
    report = judge_challenger(settings, challenger, given, reference, out, trained_on, NOW)
    assert report.champion == champion
    return report


def install_as_champion(settings, registry, folder):
    """The confused model runs, as if it had been made ready and promoted."""
    from vibecheck.models.installed import InstalledModels

    with InstalledModels(settings.data).building("confused") as part:
        for path in folder.iterdir():
            shutil.copy(path, part)
        InstalledModels(settings.data).place("confused", part, {})
    registry.register("confused", "a test", str(folder), {}, NOW)
    registry.promote("confused", "a test", NOW, override=True)


def test_better_challenger_is_proved_and_may_be_promoted(settings, registry, pictures, confused):
    install_as_champion(settings, registry, confused)
    report = judged(settings, pictures, "confused", SHIPPED)
    assert report.proved and "Proved better" in report.reason
    assert (report.held_out.n, report.held_out.champion, report.held_out.challenger) == (16, 0, 16)
    assert report.scores.challenger.per_class["happy"] == (8, 8)
    assert report.scores.challenger.confusion[NAMES.index("happy")][NAMES.index("happy")] == 8
    assert all(each.won for each in report.changed) and len(report.changed) == 16
    assert registry.get(SHIPPED).proof.proved and registry.get(SHIPPED).proof.against == "confused"
    assert registry.promote(SHIPPED, "proved", NOW).kind == "promotion"


def test_number_of_a_challenger_is_taken_before_the_report_is_written(
    settings, registry, pictures, confused, monkeypatch
):
    registry.register("confused", "a test", str(confused), {}, NOW)
    meanwhile = []
    write = judging.write

    def watched(report, *rest):
        meanwhile.append(registry.attempt("another", SHIPPED))
        return write(report, *rest)

    monkeypatch.setattr(judging, "write", watched)
    assert judged(settings, pictures, SHIPPED, confused).attempt == 1 and set(meanwhile) == {2}


def test_worse_challenger_or_too_few_labels_prove_nothing(settings, registry, pictures, confused):
    report = judged(settings, pictures, SHIPPED, confused)
    assert not report.proved and report.needed is None and report.held_out.lost == 16
    assert not any(each.won for each in report.changed)
    install_as_champion(settings, registry, confused)
    few = judged(settings, pictures, "confused", SHIPPED, rows(pictures, 4))
    assert not few.proved and few.needed and "more audits needed" in few.reason
    assert registry.get(SHIPPED).proof.needed == few.needed
    nothing = judged(settings, pictures, "confused", SHIPPED, [])
    assert not nothing.proved and nothing.scores is None


def test_a_proof_stays_valid_when_labels_are_deleted_unless_the_reference_set_forbids_it(
    settings, registry, pictures, confused, tmp_path
):
    install_as_champion(settings, registry, confused)
    first = judged(settings, pictures, "confused", SHIPPED)
    again = judged(settings, pictures, "confused", SHIPPED, rows(pictures, 4))
    assert again.proved and again.reason == first.reason and again.held_out.n == 4
    assert registry.get(SHIPPED).proof.proved
    mood = next(row.champion for row in first.changed if row.label == "happy")
    (tmp_path / "own" / mood).mkdir(parents=True)
    (tmp_path / "own" / mood / "1.jpg").write_bytes(pictures[0])
    last = judged(settings, pictures, "confused", SHIPPED, reference=tmp_path / "own")
    assert not last.proved and registry.get(SHIPPED).proof.veto


def test_written_report_is_read_back_unchanged(settings, registry, pictures, confused):
    registry.register("confused", "a test", str(confused), {}, NOW)
    report = judged(settings, pictures, SHIPPED, confused)
    out = settings.data / "trial"
    assert Report.parse((out / "report.json").read_bytes()) == report
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 16 and "Not proved" in page
    assert {path.name for path in out.iterdir()} == {"report.json", "report.html"}


def test_only_the_last_report_of_a_registered_version_shows_faces(settings, registry, pictures, confused):
    stranger = judged(settings, pictures, SHIPPED, confused)
    page = settings.data / "trial" / "report.html"
    assert stranger.changed and "data:image/jpeg" not in page.read_text(encoding="utf-8")
    registry.register("confused", "a test", str(confused), {}, NOW)
    judged(settings, pictures, SHIPPED, confused)
    assert "data:image/jpeg" in page.read_text(encoding="utf-8")
    other = settings.data / "other"
    judge_challenger(settings, confused, rows(pictures), None, other, (), NOW)
    assert "data:image/jpeg" in (other / "report.html").read_text(encoding="utf-8")
    assert "data:image/jpeg" not in page.read_text(encoding="utf-8")


def test_a_report_that_the_registry_does_not_know_shows_no_faces(
    settings, registry, pictures, confused, monkeypatch
):
    registry.register("confused", "a test", str(confused), {}, NOW)

    def fail(*_):
        raise RecordsError("the records are away")

    monkeypatch.setattr(Registry, "prove", fail)
    with pytest.raises(RecordsError):
        judged(settings, pictures, SHIPPED, confused)
    page = settings.data / "trial" / "report.html"
    assert "data:image/jpeg" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"random": False}, "not drawn at random"),
        ({"side": "train"}, "trains"),
        ({"label": "cant_tell"}, "not a mood"),
        ({"picture": b"no picture"}, "unreadable picture"),
    ],
)
def test_unusable_labels_are_left_out_and_counted(settings, registry, pictures, confused, changes, reason):
    given = rows(pictures, 4)
    given[3] = replace(given[3], **changes)
    report = judged(settings, pictures, SHIPPED, confused, given)
    assert report.held_out.n == 3 and report.left_out == {reason: 1}


def test_pictures_that_either_model_trained_on_are_not_used_for_judging(
    settings, registry, pictures, confused
):
    given = rows(pictures, 5)
    registry.register(SHIPPED, "ships", "embedded", {}, NOW, [given[0].prediction_id])
    learned = [given[1].prediction_id]
    report = judged(settings, pictures, SHIPPED, confused, [*given, given[2]], trained_on=learned)
    assert report.held_out.n == 3 and report.trained_on == 1
    assert report.left_out == {"one of the models learned from its visitor": 2, "twice": 1}


def test_numbers_only_vibe_checks_and_held_out_pictures_judge_together(
    settings, registry, pictures, confused, monkeypatch
):
    install_as_champion(settings, registry, confused)
    smile, _ = pictures
    (face,) = FaceDetector().find(decode(smile))
    store = open_store(settings)
    for number in range(8):
        kept, label = number % 2 == 0, NAMES[number % 7]
        made = a_prediction(visitor=f"v{number}", audit=True, picture_kept=kept, face=face)
        store.add(made, smile + bytes([number]) if kept else None)
        store.label(made.id, "happy" if kept else label, "audit", None, NOW)
        if kept:
            store.training_sets.assign({made.id: HELD_OUT}, NOW)
        else:
            shares = {SHIPPED: label, "confused": NAMES[(number + 1) % 7]}
            said = {name: tuple(float(mood == each) for each in NAMES) for name, mood in shares.items()}
            store.readings.add(ShadowReading(made.id, name, each, 4.0) for name, each in said.items())
    given = collect(settings, "store").rows
    report = judged(settings, pictures, "confused", SHIPPED, given)
    assert (report.held_out.n, report.held_out.won) == (8, 8) and not report.left_out
    kept = [row.prediction_id for row in given]
    assert all(len(store.readings.of(each)) == 2 for each in kept), "they need not be read again"
    (trial,) = promotion.trials(registry, store.statistics)
    assert trial.seen == report.held_out, "the same evidence is shown everywhere"
    store.close()
    monkeypatch.setattr(Classifier, "probabilities", None)
    assert judged(settings, pictures, "confused", SHIPPED, given).held_out == report.held_out


def test_judged_face_is_cropped_at_its_box_and_a_crop_is_used_whole(settings, registry, pictures, confused):
    given = rows(pictures, 6)[::2]
    corner = replace(given[0].face, x=0.0, y=0.0, width=20.0, height=20.0)
    given[0], given[1] = replace(given[0], face=corner), replace(given[1], face=None)
    report = judged(settings, pictures, SHIPPED, confused, given)
    sure = {each.prediction_id: each.champion_confidence for each in report.changed}
    apart = {round(sure.get(each.prediction_id, 0.0), 6) for each in given}
    assert len(apart) == 3


def test_worse_result_on_the_reference_set_prevents_proof(settings, registry, pictures, confused, tmp_path):
    sure = judged(settings, pictures, SHIPPED, confused)
    install_as_champion(settings, registry, confused)
    shown = next(row.challenger for row in sure.changed if row.label == "happy")
    own = tmp_path / "own"
    for mood in ("happy", shown):
        (own / mood).mkdir(parents=True)
        (own / mood / "1.jpg").write_bytes(pictures[0])
    shutil.copy(own / shown / "1.jpg", own / shown / "2.jpg")
    (own / shown / "3.jpg").write_bytes(b"\xff\xd8\xff")
    report = judged(settings, pictures, "confused", SHIPPED, reference=own)
    assert report.reference.n == 3 and (report.reference.champion, report.reference.challenger) == (2, 1)
    assert not report.proved and "of the reference set of 3 pictures" in report.reason
    assert report.left_out["unusable in the reference set"] == 1
    (tmp_path / "empty" / "happy").mkdir(parents=True)
    with pytest.raises(LabelsError, match="no labelled picture"):
        judged(settings, pictures, "confused", SHIPPED, reference=tmp_path / "empty")


def test_version_that_is_not_on_this_machine_is_reported(settings, registry, pictures):
    with pytest.raises(ModelError, match="is not ready on this machine"):
        judged(settings, pictures, SHIPPED, "elsewhere")


def test_scores_count_right_answers_and_measure_calibration():
    probabilities = np.full((4, 7), 0.05)
    probabilities[np.arange(4), [0, 0, 1, 3]] = 0.7
    found = scores(probabilities, np.array([0, 1, 1, 3]))
    assert (found.n, found.right, found.accuracy) == (4, 3, 0.75)
    assert found.per_class["angry"] == (1, 1) and found.per_class["disgust"] == (1, 2)
    assert found.balanced_accuracy == pytest.approx((1 + 0.5 + 1) / 3)
    assert found.ece == pytest.approx(0.05) and found.bias == pytest.approx(-0.05)
