"""Shadow models: real models read the crop of a real face in the background."""

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.records.examples import a_prediction
from tests.standins.models import install
from tests.waiting import wait_for
from vibecheck.models import shadow
from vibecheck.models.compared import compared_versions, watched_promotion
from vibecheck.models.shadow import ShadowModels
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.reader import Reader

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)  # after the stand-in became champion
SHIPPED = Manifest.read(EMBEDDED).version


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data=tmp_path / "data", model="embedded")


@pytest.fixture(scope="module")
def live() -> Classifier:
    return Classifier.load(EMBEDDED)


@pytest.fixture(scope="module")
def seen(astronaut):
    return Reader.open().read_still(astronaut)


@pytest.fixture
def start(settings, store, live, monkeypatch) -> Iterator:
    """Starts shadow models that look at the registry ten times a second."""
    started = []

    def begin(open_store=lambda: store, after: float = 0.0) -> ShadowModels:
        monkeypatch.setattr(shadow, "LOOK_EVERY", 0.1)
        monkeypatch.setattr(shadow, "AFTER", after)
        started.append(ShadowModels(settings, open_store, lambda: live))
        return started[-1]

    yield begin
    for each in started:
        each.stop()


def wait_for_two_looks(models: ShadowModels) -> None:
    """Waits until they have looked at the registry twice, and so have read what was submitted before."""
    for _ in range(2):
        before = models._looked
        wait_for(lambda before=before: models._looked > before, "a look at the registry")


def check(models: ShadowModels, store: Store, seen) -> str:
    prediction = a_prediction()
    store.add(prediction, None)
    models.submit(prediction.id, *seen.kept())
    return prediction.id


def test_champion_and_challenger_read_the_same_crop_of_each_vibe_check(
    settings, registry, store, start, seen
):
    install(settings, registry, "second")
    registry.challenge("second")
    models = start()
    wait_for(lambda: models.active, "both models")
    made = check(models, store, seen)
    wait_for(lambda: store.readings.of(made), "the readings")
    both = {each.version: each for each in store.readings.of(made)}
    assert both.keys() == {SHIPPED, "second"}
    assert both[SHIPPED].probabilities == pytest.approx(both["second"].probabilities)
    assert both[SHIPPED].probabilities == pytest.approx(seen.probabilities, abs=0.1)
    assert models.state == shadow.ShadowState((SHIPPED, "second"))


def test_nothing_is_read_while_there_is_only_one_model(registry, store, start, seen):
    models = start()
    wait_for(lambda: models._looked > 0, "a look at the registry")
    made = check(models, store, seen)
    wait_for_two_looks(models)
    assert not models.active and models.wait.total_seconds() == 0 and store.readings.of(made) == ()


def test_failing_model_is_left_out_and_logged_once_while_the_others_read(
    settings, registry, store, start, seen, caplog, monkeypatch
):
    for name in ("second", "broken"):
        install(settings, registry, name)
    registry.challenge("second")
    monkeypatch.setattr(shadow, "compared_versions", lambda _: (SHIPPED, "second", "broken", "nowhere"))
    real = Classifier.probabilities

    def fails(self, crops, mirrored=None):
        if self.version == "broken":
            raise RuntimeError("out of order")
        return real(self, crops, mirrored)

    monkeypatch.setattr(Classifier, "probabilities", fails)
    with caplog.at_level(logging.WARNING):
        models = start()
        wait_for(lambda: "broken" in models.state.versions, "the models")
        made = [check(models, store, seen) for _ in range(2)]
        wait_for(lambda: store.readings.of(made[-1]), "the readings")
        wait_for_two_looks(models)  # and does not repeat itself
    assert {each.version for each in store.readings.of(made[0])} == {SHIPPED, "second"}
    assert "out of order" in models.state.left_out["broken"]
    assert "is not ready on this machine" in models.state.left_out["nowhere"]
    assert sum("left out" in record.message for record in caplog.records) == 2


def test_model_that_is_always_slow_is_left_out(settings, registry, store, start, seen, monkeypatch):
    install(settings, registry, "second")
    registry.challenge("second")
    monkeypatch.setattr(shadow, "SLOW", -1.0)
    models = start()
    wait_for(lambda: models.active, "both models")
    for _ in range(shadow.TIMES):
        check(models, store, seen)
    wait_for(lambda: "second" in models.state.left_out, "it to be left out")
    assert "s a face on this machine" in models.state.left_out["second"]


def test_vibe_checks_are_skipped_and_counted_when_shadow_models_cannot_keep_up(
    settings, registry, store, start, seen
):
    install(settings, registry, "second")
    registry.challenge("second")
    held = threading.Event()

    def slow_store() -> Store:
        held.wait(60)
        held.set()  # or a failing test would wait at each reading
        return store

    models = start(slow_store)
    wait_for(lambda: models.active, "both models")
    for _ in range(shadow.MOST_WAITING + 5):
        models.submit("0" * 32, *seen.kept())
    assert models.state.skipped >= 4
    held.set()


def test_prediction_deleted_before_its_reading_leaves_none(settings, registry, store, start, seen):
    install(settings, registry, "second")
    registry.challenge("second")
    models = start(after=0.2)
    wait_for(lambda: models.active, "both models")
    gone = check(models, store, seen)
    store.forget([gone], NOW)
    made = check(models, store, seen)
    wait_for(lambda: store.readings.of(made), "the readings of the other one")
    assert store.readings.of(gone) == ()


def test_embedded_model_is_compared_with_every_champion(registry):
    assert compared_versions(registry) == (SHIPPED,)
    registry.register("hub/vit", "hub", "hub/vit", {}, NOW)
    registry.begin("hub/vit", "the first model", NOW)
    assert compared_versions(registry) == ("hub/vit", SHIPPED)
    registry.register("tuned", "here", "/folder", {}, NOW)
    registry.challenge("tuned")
    assert compared_versions(registry) == ("hub/vit", "tuned", SHIPPED)


def test_previous_champion_reads_until_the_next_promotion_or_rollback(registry):
    for name in ("hub/vit", "tuned"):
        registry.register(name, "a test", name, {}, NOW)
    registry.begin("hub/vit", "the first model", NOW)
    assert watched_promotion(registry) is None
    done = registry.promote("tuned", "because", NOW, override=True)
    assert watched_promotion(registry) == done
    assert compared_versions(registry) == ("tuned", SHIPPED, "hub/vit")
    registry.rollback(NOW)
    assert watched_promotion(registry) is None
    assert compared_versions(registry) == ("hub/vit", SHIPPED)


def test_promotion_is_watched_even_if_an_earlier_one_is_dated_in_the_future(registry):
    for name in ("hub/vit", "tuned"):
        registry.register(name, "a test", name, {}, NOW)
    registry.promote("hub/vit", "by a wrong clock", NOW + timedelta(days=365), override=True)
    done = registry.promote("tuned", "because", NOW, override=True)
    assert watched_promotion(registry) == done
