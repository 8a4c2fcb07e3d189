"""Models in Comet: uploaded once with all their files, fetched whole or not at all, and restored."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.comet.conftest import FAST, both_databases
from tests.databases import open_store
from tests.records.examples import NOON, a_prediction
from tests.records.rows import engine_of, queued
from tests.standins.models import small_vit
from tests.waiting import running, wait_for
from vibecheck.comet import claims, layout, model_files, model_sender
from vibecheck.comet.client import Comet
from vibecheck.comet.model_sender import send_all
from vibecheck.comet.registry_sync import restore_models
from vibecheck.comet.sender import Sender
from vibecheck.emotions import NAMES
from vibecheck.errors import CometError, HubUnreachable, ModelError
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.report import Changed, Report
from vibecheck.export.build import build
from vibecheck.models.installed import InstalledModels
from vibecheck.models.registry import Registry
from vibecheck.models.registry_records import VersionRecord
from vibecheck.records.db.tables import outbox
from vibecheck.records.db.transactions import writing
from vibecheck.records.deletion.redact_reports import PICTURE
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.model_source import ModelFolder

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
IDS = [f"{number:032x}" for number in range(3)]
TUNED = "tuned-1"
KEY = layout.experiment_key("main", layout.place_of_model(TUNED))
TRAINING = {
    "epochs": [{"epoch": 1, "loss": 1.5, "accuracy": 0.5}, {"epoch": 2, "loss": 1.0, "accuracy": 0.6}],
    "mix": 0.4,
    "base": "embedded-3",
    "by_class": {"happy": 3},
}


@pytest.fixture
def registry(store) -> Registry:
    return Registry(engine_of(store))


@pytest.fixture
def folder(settings) -> Path:
    """A model that was made here, with the report of its trial beside it."""
    folder = settings.data / "models" / TUNED
    folder.mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        (folder / name).write_bytes(name.encode() * 1000)
    Manifest(version=TUNED).write(folder)
    return folder


@pytest.fixture
def tuned(registry, folder, tmp_path) -> Registry:
    """The registry with a first champion and a challenger that was trained here."""
    registry.register("embedded-3", "ships", "embedded", {}, NOW)
    registry.begin("embedded-3", "the first", NOW)
    changed = Changed(IDS[0], "happy", "sad", 0.5, "happy", 0.7)
    tally = Comparison(30, 10, 25, 16, 1, 90.0, 0.0)
    report = Report(TUNED, "embedded-3", NOW, True, "Proved better.", 0, 3, {}, tally, None, None, (changed,))
    page = f'<p>Proved</p><img data-prediction="{IDS[0]}" src="data:image/jpeg;base64,AAAA">'
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.json").write_text(report.as_json())
    (out / "report.html").write_text(page)
    proof = report.proof(str(out / "report.html"))
    registry.register(TUNED, "tuned", str(folder), {"fine_tuning": TRAINING}, NOW + timedelta(1), IDS)
    registry.prove(TUNED, proof)
    registry.challenge(TUNED)
    return registry


def due_now(store):
    with writing(engine_of(store)) as connection:
        connection.execute(update(outbox).values(next_attempt_at=None))


def waiting(store):
    return [row.payload["version"] for row in queued(store) if row.kind == "model"]


def test_model_upload_includes_weights_metrics_report_and_training_ids(settings, store, comet, tuned, folder):
    send_all(settings, store)
    assert waiting(store) == []
    experiment = comet.experiments[KEY]
    (version,) = comet.registry["vibecheck-main"]
    assert (version["version"], version["comment"]) == ("1.0.0", TUNED)
    assert version["experimentModel"]["experimentKey"] == KEY
    assert {a.name for a in experiment.assets.values() if a.group} == {
        "config.json", "preprocessor_config.json", "vibecheck.json", "model.safetensors"
    }  # fmt: skip
    (weights,) = experiment.named("model.safetensors")
    assert weights.content == (folder / "model.safetensors").read_bytes()
    curve = [(m["metricName"], m["metricValue"], m["step"]) for m in experiment.metrics]
    assert sorted(curve) == [("accuracy", 0.5, 1), ("accuracy", 0.6, 2), ("loss", 1.0, 2), ("loss", 1.5, 1)]
    assert experiment.parameters == {"mix": 0.4, "base": "embedded-3"}
    assert json.loads(experiment.named("trained_on.json")[0].content) == IDS
    assert Report.parse(experiment.named("report.json")[0].content).proved


def test_report_is_uploaded_without_faces(settings, store, comet, tuned):
    send_all(settings, store)
    (page,) = comet.experiments[KEY].named("report.html")
    assert b"Proved" in page.content and not PICTURE.search(page.content.decode())
    assert b"base64" not in page.content


def test_confusion_matrix_is_uploaded_if_there_is_one(settings, store, comet, tuned, folder):
    eye = [[int(row == column) for column in range(7)] for row in range(7)]
    model_files.upload(Comet.open(settings), TUNED, folder, (eye, list(NAMES)))
    (matrix,) = comet.experiments[KEY].named("confusion-matrix.json")
    assert json.loads(matrix.content)["labels"] == list(NAMES)


@pytest.mark.parametrize(
    "fault",
    [
        {"path": "clientlib/asset/upload", "status": 400, "times": 2},
        {"path": "registry-model/item/create", "status": 500},
        *(
            pytest.param(fault, marks=pytest.mark.slow)
            for fault in (
                {"path": "registry-model/item/create", "cut": "after"},
                {"path": "write/experiment/upload-asset", "cut": "after"},
                {"path": "account-details", "status": 503},
                {"path": "experiment/asset/list", "status": 429},
            )
        ),
    ],
    ids=lambda fault: " ".join(map(str, fault.values())),
)
def test_failed_upload_is_retried_without_duplicates(settings, store, comet, tuned, fault, monkeypatch):
    monkeypatch.setenv("COMET_RETRY_BACKOFF_MAX", "0")
    comet.fault(**fault)
    for _ in range(12):
        due_now(store)
        try:
            send_all(settings, store)
        except CometError as error:
            assert str(error)
    assert waiting(store) == []
    names = [asset.name for asset in comet.experiments[KEY].assets.values()]
    assert len(names) == len(set(names)) and len(comet.registry["vibecheck-main"]) == 1
    assert len(comet.experiments[KEY].metrics) == 4


@pytest.mark.slow
def test_each_model_gets_its_own_registry_version_and_keeps_it(settings, store, comet, tuned, folder):
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    Manifest.read(folder).model_copy(update={"version": "tuned-2"}).write(other)
    tuned.register("tuned-2", "tuned", str(other), {}, NOW + timedelta(2))
    send_all(settings, store)
    assert [each["version"] for each in comet.registry["vibecheck-main"]] == ["2.0.0", "1.0.0"]
    tuned.discard(TUNED, NOW)
    send_all(settings, store)
    assert len(comet.registry["vibecheck-main"]) == 2


def test_files_that_comet_does_not_have_any_more_are_sent_again(settings, store, comet, tuned):
    """As after a change of the workspace, project or deployment; `send --again` updates all models."""
    send_all(settings, store)
    moved = settings.model_copy(update={"deployment": "other"})
    tuned.enqueue_all()
    send_all(moved, store)
    assert [each["comment"] for each in comet.registry["vibecheck-other"]] == [TUNED]
    comet.registry["vibecheck-other"].clear()
    (settings.data / "models").rename(settings.data / "lost here, too")
    tuned.enqueue_all()
    send_all(moved, store)
    assert waiting(store) == []


@pytest.mark.slow
def test_model_without_local_files_is_left_to_the_machine_that_has_them(
    settings, store, comet, tuned, tmp_path, monkeypatch
):
    elsewhere = settings.model_copy(update={"data": tmp_path / "elsewhere"})
    (settings.data / "models").rename(tmp_path / "hidden")
    send_all(elsewhere, store)
    assert waiting(store) == [TUNED] and "vibecheck-main" not in comet.registry
    (tmp_path / "hidden").rename(settings.data / "models")
    due_now(store)
    send_all(settings, store)
    assert waiting(store) == [] and comet.registry["vibecheck-main"]


@pytest.mark.slow
def test_model_whose_files_no_machine_has_is_set_aside_in_the_end(settings, store, comet, tuned, monkeypatch):
    shutil.rmtree(settings.data / "models")
    monkeypatch.setattr(model_sender, "PATIENCE", 2)
    for _ in range(3):
        send_all(settings, store)
        with writing(engine_of(store)) as connection:
            connection.execute(
                update(outbox).where(outbox.c.set_aside_at.is_(None)).values(next_attempt_at=None)
            )
    with engine_of(store).connect() as connection:
        reasons = connection.execute(outbox.select().where(outbox.c.set_aside_at.is_not(None))).all()
    assert ["on no machine" in row.reason for row in reasons] == [True]


def test_model_sender_thread_uploads_models_by_itself(settings, store, comet, tuned, monkeypatch):
    monkeypatch.setattr(claims, "CHECK_EVERY", 0.02)
    with running(partial(model_sender.run, settings, store)):
        wait_for(lambda: not waiting(store), "the upload")
    assert comet.registry["vibecheck-main"]


def test_bug_while_sending_a_model_is_shown_and_the_thread_goes_on(
    settings, store, comet, tuned, monkeypatch
):
    monkeypatch.setattr(claims, "CHECK_EVERY", 0.02)
    with monkeypatch.context() as patch:
        patch.setattr(model_sender, "send", lambda *_: 1 / 0)
        with running(partial(model_sender.run, settings, store)):
            (reason,) = wait_for(lambda: store.outbox().state().set_aside)
            assert reason.startswith("A bug in VibeCheck (ZeroDivisionError)")
            patch.undo()
            wait_for(lambda: store.outbox().retry_all())
            wait_for(lambda: not waiting(store))


@pytest.fixture
def elsewhere(settings, tmp_path):
    """A machine with nothing but the same database and the same account."""
    return settings.model_copy(update={"data": tmp_path / "elsewhere"})


@pytest.mark.slow
def test_model_made_on_one_machine_is_built_on_another(
    settings, store, comet, tuned, folder, elsewhere, monkeypatch
):
    monkeypatch.setattr("vibecheck.export.candidates.FACES", 12)  # how well it is measured is asked elsewhere
    small_vit(folder, NAMES)
    send_all(settings, store)
    there = tuned.get(TUNED)
    content = (folder / "model.safetensors").read_bytes()
    (settings.data / "models").rename(settings.data / "gone")
    said = []
    made = build(elsewhere, ModelFolder(Path(there.source)), lambda *step: said.append(step))
    assert made.version == TUNED and (made.folder / "model.onnx").is_file()
    assert (made.folder / "model.safetensors").read_bytes() == content
    assert made.report["source"] == there.source
    assert {step for step, _, _ in said} == {"fetching", "compiling", "checking"}
    assert not InstalledModels(elsewhere.data).downloads(TUNED).exists()


def test_damaged_or_unknown_model_files_are_refused(settings, store, comet, tuned, folder, tmp_path):
    send_all(settings, store)
    there, registered = tmp_path / "there", tuned.get(TUNED)
    (weights,) = comet.experiments[KEY].named("model.safetensors")
    good, weights.content = weights.content, b"something else"
    with pytest.raises(ModelError, match="damaged"):
        model_files.fetch(settings, registered, there, lambda done, total: None)
    assert not (there / "model.safetensors").exists()
    weights.content = good
    comet.log.clear()
    model_files.fetch(settings, registered, there, lambda done, total: None)
    assert comet.asked("get-asset") == 1, "what is there whole is not fetched again"
    odd = registered.metrics["comet_files"] | {"../run.sh": "0"}
    with pytest.raises(ModelError, match="which no model has"):
        model_files.fetch(settings, replace(registered, metrics={"comet_files": odd}), there, lambda *_: None)
    with pytest.raises(ModelError, match="not in Comet's model registry"):
        model_files.fetch(settings, replace(registered, version="unknown"), there, lambda *_: None)


def test_missing_registry_model_is_retried_and_a_missing_account_is_reported(
    settings, store, comet, tuned, elsewhere
):
    source = ModelFolder(Path(tuned.get(TUNED).source))
    (settings.data / "models").rename(settings.data / "gone")
    with pytest.raises(HubUnreachable, match="not in Comet's model registry yet"):
        build(elsewhere, source, lambda *_: None)
    with pytest.raises(ModelError, match="COMET_API_KEY"):
        build(elsewhere.model_copy(update={"comet_api_key": None}), source, lambda *_: None)
    with pytest.raises(ModelError, match="is not a folder: check the path"):
        build(elsewhere, ModelFolder(Path("/nowhere")), lambda *_: None)


@pytest.fixture
def new_disk(settings, tmp_path):
    """A store with nothing in it, and its registry."""
    store = open_store(settings.model_copy(update={"data": tmp_path / "new", "database_url": None}))
    yield store
    store.close()


def open_registry(store):
    return Registry.open(Settings(data=Path(engine_of(store).url.database).parent, database_url=None))


def sent(settings, store):
    Sender(settings, store, FAST).run(until_empty=True)
    send_all(settings, store)


@both_databases
def test_restore_on_an_empty_disk_brings_the_model_registry_back(settings, store, comet, tuned, new_disk):
    prediction = replace(a_prediction(), id=IDS[0])
    store.add(prediction, None)
    tuned.promote(TUNED, "proved", NOW + timedelta(2))
    tuned.register("tuned-2", "tuned", "/somewhere", {}, NOW + timedelta(3), IDS[:1])
    store.forget([IDS[0]], NOW)
    tuned.challenge("tuned-2")
    with writing(engine_of(store)) as connection:  # its files are nowhere, and it is remembered all the same
        connection.execute(outbox.delete().where(outbox.c.payload["version"].as_string() == "tuned-2"))
    tuned.register("tuned-2", "tuned", "owner/name@" + "0" * 40, {}, NOW + timedelta(3))
    sent(settings, store)
    assert restore_models(Comet.open(settings), Registry(engine_of(new_disk))) == 3
    back = Registry(engine_of(new_disk))
    assert back.versions() == tuned.versions() and back.get(TUNED).deleted == 1
    assert back.aliases() == tuned.aliases()
    assert back.aliases() == {"champion": TUNED, "previous": "embedded-3", "challenger": "tuned-2"}
    assert back.promotions() == tuned.promotions()
    assert list(back.record(TUNED).trained_on) == IDS and back.get(TUNED).proof.proved
    assert restore_models(Comet.open(settings), Registry(engine_of(new_disk))) == 0
    assert back.promotions() == tuned.promotions()
    assert not [row for row in queued(new_disk) if row.kind == "model"], "what came from Comet is not news"


def test_restored_decisions_replace_the_first_champion_of_a_new_disk(settings, store, comet, tuned, new_disk):
    tuned.promote(TUNED, "proved", NOW + timedelta(2))
    sent(settings, store)
    back = Registry(engine_of(new_disk))
    back.register("embedded-3", "ships", "embedded", {}, NOW + timedelta(9))
    back.begin("embedded-3", "the first", NOW + timedelta(9))
    sent(settings, new_disk)
    restore_models(Comet.open(settings), Registry(engine_of(new_disk)))
    assert back.aliases() == {"champion": TUNED, "previous": "embedded-3"}
    assert [each.kind for each in back.promotions()] == ["promotion", "first"]
    assert len([name for name in comet.names() if name.startswith("promotion_")]) == 2


def test_what_was_decided_about_the_embedded_model_is_restored(settings, store, comet, new_disk):
    shipped, now = Manifest.read(EMBEDDED).version, datetime.now(UTC)
    with closing(Registry.open(settings)) as before:
        before.register("hub", "from the Hub", "owner/name", {}, NOW)
        before.promote("hub", "a test", now + timedelta(1), override=True)
        before.register("other", "from the Hub", "owner/other", {}, NOW)
        before.promote("other", "a test", now + timedelta(2), override=True)
        before.discard(shipped, now)
    sent(settings, store)
    with closing(open_registry(new_disk)) as back:
        restore_models(Comet.open(settings), back)
        assert back.aliases() == {"champion": "other", "previous": "hub"}
        assert back.get(shipped).discarded_at == now


def test_new_disk_of_a_newer_release_does_not_restore_the_embedded_model_of_the_old_one(
    settings, store, comet, registry, new_disk, tmp_path
):
    shipped = Manifest.read(EMBEDDED).version
    registry.register("embedded-0", "shipped before", "embedded", {}, NOW)
    registry.begin("embedded-0", "the first", NOW)
    sent(settings, store)
    with closing(open_registry(new_disk)) as back:
        restore_models(Comet.open(settings), back)
        assert back.aliases() == {"champion": shipped} and back.champion_is_provisional()
        assert [each.version for each in back.promotions()] == [shipped, "embedded-0"]
        sent(settings, new_disk)
    newer = open_store(settings.model_copy(update={"data": tmp_path / "newer", "database_url": None}))
    with closing(newer), closing(open_registry(newer)) as back:
        restore_models(Comet.open(settings), back)
        assert back.aliases() == {"champion": shipped} and back.get("embedded-0").discarded_at


def test_champion_that_replaces_the_initial_model_is_sent_too(settings, store, comet):
    with closing(Registry.open(settings)) as registry:
        registry.register("hub", "from the Hub", "owner/name", {}, NOW)
        registry.begin("hub", "named by a setting", datetime.now(UTC))
    sent(settings, store)
    assert len([name for name in comet.names() if name.startswith("promotion_")]) == 2


@pytest.mark.slow
def test_local_decisions_stay_when_more_is_restored(settings, store, comet, tuned, new_disk):
    tuned.promote(TUNED, "proved", NOW + timedelta(2))
    sent(settings, store)
    mine = Registry(engine_of(new_disk))
    for version in ("mine", "other"):
        mine.register(version, "mine", "embedded", {}, NOW)
    mine.begin("mine", "the first", NOW)
    mine.promote("other", "mine to decide", NOW, override=True)
    restore_models(Comet.open(settings), Registry(engine_of(new_disk)))
    assert mine.aliases() == {"champion": "other", "previous": "mine"}
    assert TUNED in {each.version for each in mine.versions()}


def test_foreign_model_assets_are_ignored_by_the_restore(settings, store, comet, new_disk):
    client = Comet.open(settings)
    client.put(layout.MODELS, layout.model_name("a"), b"{}", {}, "asset")
    client.put(layout.MODELS, f"model_{'0' * 32}.json", b"not json", {}, "asset")
    client.put(layout.MODELS, f"promotion_{'0' * 32}.json", b"{}", {"version": "a"}, "asset")
    assert restore_models(client, Registry(engine_of(new_disk))) == 0
    assert Registry(engine_of(new_disk)).promotions() == []


def test_malformed_model_record_is_skipped_by_the_restore(settings, store, comet):
    client, good = Comet.open(settings), VersionRecord("good", "here", "folder", {}, NOON, (), (), False)
    client.put(layout.MODELS, layout.model_name(good.version), layout.as_json(good.plain()), {}, "asset")
    for number, change in enumerate(
        ({"registered_at": "9999-12-31T23:59:59-12:00"}, {"metrics": "\ud800"}, {"version": "no such\n"})
    ):
        content = json.dumps(good.plain() | {"version": f"odd-{number}"} | change).encode()
        client.put(layout.MODELS, layout.model_name(f"odd-{number}"), content, {}, "asset")
    client.put(layout.MODELS, layout.model_name("deep"), b"[" * 100_000, {}, "asset")
    registry = Registry.open(settings)
    assert restore_models(client, registry) == 1
    assert "good" in {version.version for version in registry.versions()}
