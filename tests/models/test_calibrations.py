"""Calibration learned from audits, as it is recorded and run: real records of both kinds, the real model."""

import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from tests.databases import open_store
from tests.records.examples import a_prediction
from tests.records.rows import engine_of, queued
from tests.standins.models import end, install
from tests.waiting import running, wait_for
from vibecheck.analytics.calibration_fit import FEWEST
from vibecheck.comet.layout import as_json
from vibecheck.emotions import NAMES, Distribution
from vibecheck.models import live_model
from vibecheck.models.installed import reader_of
from vibecheck.models.live_model import LiveModel
from vibecheck.models.registry import Registry
from vibecheck.models.registry_records import VersionRecord
from vibecheck.models.shadow import ShadowModels
from vibecheck.records import learned_calibration
from vibecheck.records.bulk import Records, write, write_versions
from vibecheck.records.db.transactions import writing
from vibecheck.records.learned_calibration import LearnedCalibration, LearnedScaling
from vibecheck.records.stats import summaries
from vibecheck.records.store import Store
from vibecheck.records.synthetic import ORIGIN
from vibecheck.records.values import Feedback, ModelVersion
from vibecheck.settings import Settings
from vibecheck.vision.temperature_scaling import SHIPPED, TemperatureScaling

ROOT = Path(__file__).parents[2]
NOW = datetime.now(UTC).replace(microsecond=0)
VERSION = "embedded-3"
RECORD = TypeAdapter(VersionRecord)
SCALING = TemperatureScaling(2.5, (0.3, -0.2, -0.1, 0.2, -0.1, 0.0, -0.1))

# For tests of models and processes, to which one kind of database is like the other.
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(settings) -> Settings:
    return settings.model_copy(update={"model": "embedded"})


def learned(version: str = VERSION, ago: timedelta = timedelta(0), **changes) -> LearnedCalibration:
    plain = {"temperature": SCALING.temperature, "bias": SCALING.bias, "n": 214, "later": 204}
    plain |= {"loss_before": 1.9, "loss_after": 1.4, "error_before": 0.29, "error_after": 0.05}
    number = f"{abs(hash((version, ago, str(changes)))):032x}"[:32]
    return LearnedCalibration(id=number, version=version, from_when=NOW - ago, **(plain | changes))


def put_into_use(registry: Registry, new: LearnedCalibration) -> LearnedCalibration:
    with writing(registry._engine) as connection:
        learned_calibration.add(connection, new)
    return new


def audit(store: Store, count: int, seed: int = 0, start: int = 0, **changes) -> None:
    """Answered audits whose probabilities a temperature of 2.5 would put right, one a minute."""
    rng = np.random.default_rng(seed)
    right = rng.dirichlet(np.full(7, 0.5), count) + 1e-3
    right /= right.sum(axis=1, keepdims=True)
    shown = TemperatureScaling(2.5).undo(right)
    under = changes.pop("under", None)
    if under is not None:
        shown = under.scaling.apply(shown)
    made, labels = [], []
    for number, said in enumerate(shown / shown.sum(axis=1, keepdims=True)):
        shares = Distribution.of(said.tolist())
        moment = NOW - timedelta(days=1) + timedelta(minutes=start + number)
        made.append(
            a_prediction(
                made_at=moment,
                mood=shares.mood,
                confidence=shares.confidence,
                probabilities=shares.probabilities,
                **{"visitor": f"{start + number:04x}", "audit": True} | changes,
                calibration=under.id if under else None,
            )
        )
        label = NAMES[rng.choice(7, p=right[number])]
        labels.append(Feedback(made[-1].id, 1, label, "audit", None, moment + timedelta(seconds=9)))
    with writing(engine_of(store)) as connection:
        write(connection, Records(made, labels, ()))
        summaries.rebuild(connection)


def test_a_calibration_is_learned_from_audits_and_used(store, registry, settings, astronaut):
    audit(store, 120)
    new = registry.calibrations.learn_if_due(VERSION)
    assert (new.version, new.n, new.later) == (VERSION, 120, 110)
    assert new.temperature == pytest.approx(2.5, rel=0.3)
    assert new.loss_after < new.loss_before and new.error_after < new.error_before
    assert registry.calibrations.in_use(VERSION) == new
    plain = LiveModel(settings).reader.read_still(astronaut)
    calibrated = reader_of(VERSION, settings).read_still(astronaut)
    assert (plain.calibration, calibrated.calibration) == (None, new.id)
    expected = new.scaling.apply(np.array([plain.probabilities]))[0]
    assert calibrated.probabilities == pytest.approx(expected)


def test_nothing_is_learned_below_50_audits_or_without_new_ones(store, registry):
    audit(store, FEWEST - 1)
    assert registry.calibrations.learn_if_due(VERSION) is None
    audit(store, 20, seed=1, start=FEWEST)
    assert registry.calibrations.learn_if_due(VERSION) is not None
    audit(store, 5, seed=2, start=FEWEST + 20)
    asked = []
    registry.calibrations.learn = asked.append
    registry.calibrations.learn_if_due(VERSION)
    assert asked == [], "a few more are waited for"
    audit(store, 5, seed=3, start=FEWEST + 25)
    registry.calibrations.learn_if_due(VERSION)
    assert asked == [VERSION]


def test_new_audits_are_learned_from_also_if_as_many_old_ones_are_deleted(store, registry):
    """As in every deployment that is older than its retention."""
    audit(store, 100)
    registry.calibrations.learn_if_due(VERSION)
    store.purge(NOW - timedelta(days=1) + timedelta(minutes=60))
    audit(store, 60, seed=1, start=100)
    asked = []
    registry.calibrations.learn = asked.append
    registry.calibrations.learn_if_due(VERSION)
    assert asked == [VERSION]


def test_calibration_is_undone_in_its_predictions_before_the_next_one_is_learned(store, registry):
    """The audits call for a temperature of 2.5, of which the one in use has only 1.3: the rest is not all."""
    used = put_into_use(registry, learned(ago=timedelta(days=2), temperature=1.3, bias=(0.0,) * 7))
    audit(store, 150, under=used)
    assert registry.calibrations.learn(VERSION).temperature == pytest.approx(2.5, rel=0.3)


def test_calibration_dated_in_the_future_can_be_replaced(store, registry):
    used = put_into_use(registry, learned(ago=-timedelta(days=365), temperature=1.3, bias=(0.0,) * 7))
    audit(store, 150, under=used)
    new = registry.calibrations.learn(VERSION)
    assert new.temperature == pytest.approx(2.5, rel=0.3)
    assert registry.calibrations.in_use(VERSION) == new


def test_audits_made_under_an_unknown_calibration_are_left_out(store, registry):
    audit(store, 120, under=learned())
    assert registry.calibrations.learn(VERSION) is None


def test_only_the_versions_own_audits_count_at_most_three_per_visitor_and_day(store, registry):
    audit(store, 60, model_version="another")
    assert registry.calibrations.learn(VERSION) is None
    for hour in range(20):
        audit(store, 3, seed=hour, start=60 * hour, visitor="keen")
    assert registry.calibrations.learn(VERSION) is None, "of one visitor three a day count, on two days"
    assert registry.calibrations.learn("another") is not None


def test_nothing_is_learned_from_a_synthetic_history(store, registry):
    audit(store, 120)
    with writing(engine_of(store)) as connection:
        write_versions(connection, [ModelVersion("demo", ORIGIN, NOW)])
    assert registry.calibrations.learn(VERSION) is None


def test_one_of_two_processes_that_learn_at_once_takes_over(store, registry, settings):
    audit(store, 120)
    before = registry.calibrations.in_use(VERSION)
    with closing(Registry.open(settings)) as other:
        first = registry.calibrations.learn(VERSION)
        taken = LearnedScaling(first.temperature, first.bias, 120, 110, 1.9, 1.4, 0.3, 0.1)
        found = other.calibrations._take_over(VERSION, taken, before)
        assert found is None and store.statistics.calibrations() == [first]


@one_database
def test_each_version_keeps_its_calibration_through_promotion_and_rollback(registry, settings, astronaut):
    live = LiveModel(settings)
    try:
        mine = put_into_use(registry, learned())
        live.look()
        assert live.reader.read_still(astronaut).calibration == mine.id
        session = live.reader.classifier._session
        install(settings, registry, "second")
        theirs = put_into_use(registry, learned("second", temperature=1.5))
        registry.promote("second", "a test", NOW, override=True)
        live.look()
        assert live.reader.read_still(astronaut).made_by == ("second", theirs.id)
        registry.rollback(NOW)
        live.look()
        assert live.reader.read_still(astronaut).made_by == (VERSION, mine.id)
        newer = put_into_use(registry, learned(ago=-timedelta(seconds=1), temperature=3.0))
        before = live.reader.classifier._session
        live.look()
        assert live.reader.classifier.calibration == newer.id
        assert live.reader.classifier._session is before is not session, "the model is not loaded again"
    finally:
        end(live)


@one_database
def test_calibration_changes_between_two_frames_and_is_applied_once(registry, settings, astronaut):
    plain = LiveModel(settings).reader.read_frame(astronaut, 0.0).probabilities
    live = LiveModel(settings)
    readings = []

    def stream(stop: threading.Event) -> None:
        while not stop.is_set():
            readings.append(live.reader.read_frame(astronaut, time.monotonic()))

    with running(stream):
        wait_for(lambda: len(readings) > 3, "the first frames")
        new = put_into_use(registry, learned())
        live.look()
        wait_for(lambda: readings[-1].calibration == new.id, "frames read under it")
    end(live)
    assert [name for name, _ in groupby(each.calibration for each in readings)] == [None, new.id]
    expected = {None: plain, new.id: SCALING.apply(np.array([plain]))[0]}
    for each in readings:
        assert each.probabilities == pytest.approx(expected[each.calibration], abs=1e-5)


@one_database
def test_app_learns_its_calibration_automatically(store, registry, settings, monkeypatch):
    audit(store, 120)
    monkeypatch.setattr(live_model, "LEARN_EVERY", 0.0)
    live = LiveModel(settings)
    try:
        wait_for(
            lambda: live.look() or live.reader.classifier.calibration is not None, "a calibration in use"
        )
    finally:
        end(live)
    assert [live.reader.classifier.calibration] == [each.id for each in store.statistics.calibrations()]


@one_database
def test_failed_calibration_does_not_stop_the_model(registry, settings, monkeypatch, caplog):
    def broken(version):
        raise ZeroDivisionError

    live = LiveModel(settings)
    try:
        live.look()
        live._learn_at = 0.0
        monkeypatch.setattr(live._registry.calibrations, "learn_if_due", broken)
        live.look()
        assert live.change is None and "could not be learned from" in caplog.text
    finally:
        end(live)


@one_database
def test_learned_calibration_is_used_by_other_processes(store, registry, settings):
    audit(store, 120)
    new = registry.calibrations.learn(VERSION)
    code = (
        "import sys; from pathlib import Path; from vibecheck.models.live_model import LiveModel\n"
        "from vibecheck.settings import Settings\n"
        "live = LiveModel(Settings(data=Path(sys.argv[1]), database_url=sys.argv[2], model='embedded'))\n"
        "live.look(); print(live.reader.classifier.calibration)\n"
        "assert not {'scipy', 'torch', 'altair'} & set(sys.modules)"
    )
    url = settings.records_url
    command = [sys.executable, "-c", code, str(settings.data), url]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (run.stdout.strip(), run.returncode) == (new.id, 0), run.stderr


def test_calibration_is_sent_and_restored_with_its_version(store, registry, settings, tmp_path):
    audit(store, 120)
    new = Registry(engine_of(store)).calibrations.learn(VERSION)
    assert [row.payload for row in queued(store) if row.kind == "model"] == [{"version": VERSION}]
    record = registry.record(VERSION)
    assert record.learned == (new,)
    read = RECORD.validate_json(as_json(record.plain()))
    assert read == record
    with closing(Registry.open(Settings(data=tmp_path / "elsewhere"))) as other:
        other.merge([read], [])
        other.merge([read], [])
        assert other.record(VERSION).learned == (new,)


def test_record_of_an_older_version_has_no_calibration_and_that_of_a_newer_is_ignored(registry):
    record = registry.record(VERSION)
    plain = record.plain()
    del plain["learned"]
    assert RECORD.validate_python(plain).learned == ()
    registry.merge([replace(record, learned=(learned(ago=-timedelta(days=9)),))], [])
    assert registry.calibrations.in_use(VERSION) is None
    with pytest.raises(ValueError, match="one version"):
        replace(record, learned=(learned("another"),))


@pytest.mark.parametrize(
    "changes", [{"temperature": 0.0}, {"bias": (0.0,) * 6}, {"later": 300}, {"loss_after": float("nan")}]
)
def test_invalid_calibration_is_refused(changes):
    with pytest.raises(ValueError):
        learned(**changes)


@one_database
def test_shadow_models_use_the_shipped_calibration(registry, settings, store):
    """Labels that taught the champion a bias would judge it by that bias."""
    mine = put_into_use(registry, learned())
    install(settings, registry, "second")
    registry.challenge("second")
    live = reader_of(VERSION, settings).classifier
    assert live.calibration == mine.id
    shadow = ShadowModels(settings, lambda: store, lambda: live)
    try:
        wait_for(lambda: shadow.active, "two models")
        assert [each.calibration for each in shadow._models.values()] == [None, None]
    finally:
        shadow.stop()


@one_database
def test_return_to_the_shipped_calibration_is_recorded_as_a_calibration(registry, settings, astronaut):
    back = put_into_use(registry, learned(temperature=1.0, bias=(0.0,) * 7))
    assert back.shipped and back.scaling == SHIPPED
    reading = reader_of(VERSION, settings).read_still(astronaut)
    assert reading.calibration == back.id


def test_a_prediction_names_its_calibration_and_is_read_back_with_it(settings):
    with closing(open_store(settings)) as store:
        made = a_prediction(calibration="c" * 32)
        store.add(made, None)
        assert store.get(made.id) == made
        assert queued(store)[-1].payload["calibration"] == "c" * 32
    with pytest.raises(ValueError, match="hexadecimal"):
        a_prediction(calibration="latest")
