"""The loop without a picture: shadow models read, audits come in, a challenger is proved and watched."""

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.models.test_promotion import DAY, NOW
from tests.standins.models import install
from tests.waiting import wait_for
from vibecheck import check
from vibecheck.models import promotion
from vibecheck.models.shadow import ShadowModels
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.reader import Moment, Reader, Reading
from vibecheck.vision.sample_faces import lfw_faces

BAD, GOOD = "confused", "tuned"
CROP = 100  # px; pictures up to this side are face crops


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data=tmp_path / "data", model="embedded")


@pytest.fixture(scope="module")
def confused(tmp_path_factory) -> Path:
    """A copy of the embedded model that takes every mood for another."""
    folder = tmp_path_factory.mktemp("models") / BAD
    shutil.copytree(EMBEDDED, folder)
    config = json.loads((folder / "config.json").read_text())
    labels = [config["id2label"][str(i)] for i in range(len(config["id2label"]))]
    config["id2label"] = {str(i): label for i, label in enumerate(labels[1:] + labels[:1])}
    (folder / "config.json").write_text(json.dumps(config))
    Manifest.read(folder).model_copy(update={"version": BAD, "prior_strength": 0.0}).write(folder)
    return folder


@pytest.fixture
def reader(settings, registry, confused) -> Reader:
    """Reads with the champion, which is wrong on every face that the challenger gets right."""
    install(settings, registry, GOOD)
    folder = install(settings, registry, BAD, confused)
    registry.begin(BAD, "the first model", NOW)
    registry.challenge(GOOD)
    return Reader.open(folder)


@pytest.fixture(autouse=True)
def at_once(monkeypatch) -> None:
    """Shadow models look at the registry ten times a second, and read each face at once."""
    monkeypatch.setattr("vibecheck.models.shadow.LOOK_EVERY", 0.1)
    monkeypatch.setattr("vibecheck.models.shadow.AFTER", 0.0)


@pytest.fixture
def shadow(settings, store, reader) -> Iterator[ShadowModels]:
    started = ShadowModels(settings, lambda: store, lambda: reader.classifier)
    wait_for(lambda: started.active, "the shadow models")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def faces(astronaut) -> list[tuple[np.ndarray, str]]:
    """A smile and a frown, as anybody would label them."""
    frown = np.repeat(cv2.resize(lfw_faces()[22], (100, 100))[..., np.newaxis], 3, axis=2)
    return [(astronaut, "happy"), (frown, "angry")]


def visit(store: Store, reader: Reader, shadow: ShadowModels, faces, count: int, at: datetime) -> None:
    """`count` visitors check their vibe, keep numbers only, and answer the audit."""
    seen: list[tuple[Reading, str]] = [
        (reader.read_crop(picture) if len(picture) <= CROP else reader.read_still(picture), label)
        for picture, label in faces
    ]
    made = []
    for number in range(count):
        reading, label = seen[number % len(seen)]
        prediction, best = check.predict(
            Moment.of(reading), source="photo", visitor=f"{at}{number}", now=at, audit_share=1.0
        )
        check.record(store, prediction, best, keep_picture=False)
        shadow.submit(prediction.id, *best.kept())
        store.label(prediction.id, label, "audit", prediction.visitor, at + timedelta(seconds=number))
        made.append(prediction.id)
    wait_for(lambda: all(store.readings.of(each) for each in made), "the readings")


@pytest.mark.quick
def test_numbers_only_visitors_prove_a_challenger_and_the_guard_stops_a_worse_one(
    settings, store, registry, reader, shadow, faces
):
    visit(store, reader, shadow, faces, 4, NOW)
    (trial, *_) = promotion.trials(registry, store.statistics)
    assert (trial.version, trial.seen.n, trial.seen.won) == (GOOD, 4, 4) and trial.verdict.needed > 0
    assert promotion.settle(registry, store.statistics, True, NOW) is None, "refused: too few so far"

    visit(store, reader, shadow, faces, 10, NOW + DAY)
    promoted = promotion.settle(registry, store.statistics, True, NOW + DAY)
    assert (promoted.version, promoted.kind) == (GOOD, "promotion") and "won 14" in promoted.why

    registry.promote(BAD, "a hunch", NOW + 2 * DAY, override=True)
    wait_for(lambda: set(shadow.state.versions) >= {BAD, GOOD}, "the previous champion to be watched")
    visit(store, reader, shadow, faces, 16, NOW + 3 * DAY)
    back = promotion.settle(registry, store.statistics, True, NOW + 4 * DAY)
    assert (back.version, back.kind) == (GOOD, "rollback") and "which was promoted over it" in back.why
    assert registry.champion().version == GOOD
    assert not list(settings.data.rglob("*.jpg")), "nobody's picture was ever kept"


@pytest.mark.quick
def test_numbers_only_visitors_do_not_prove_a_worse_challenger(settings, store, registry, confused, faces):
    install(settings, registry, BAD, confused)
    registry.challenge(BAD)
    reader = Reader.open()
    shadow = ShadowModels(settings, lambda: store, lambda: reader.classifier)
    wait_for(lambda: shadow.active, "the shadow models")
    visit(store, reader, shadow, faces, 12, NOW)
    shadow.stop()
    assert promotion.settle(registry, store.statistics, True, NOW) is None
    proof = registry.get(BAD).proof
    assert (proof.proved, proof.n, proof.challenger, proof.needed) == (False, 12, 0, None)
    assert isinstance(reader.classifier, Classifier) and registry.champion().version != BAD
