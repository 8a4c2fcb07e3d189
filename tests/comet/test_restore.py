"""Restoring from Comet: everything comes back, once, with few requests, however often it is interrupted."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import delete

from tests.comet.conftest import FAST, both_databases
from tests.databases import open_store
from tests.records.examples import JPEG, NOON, a_prediction
from tests.records.rows import engine_of, queued
from tests.waiting import running, wait_for
from vibecheck.comet import claims, layout
from vibecheck.comet import restore as restores
from vibecheck.comet.sender import Sender
from vibecheck.comet.status import RESTORED, comet_state, fetch
from vibecheck.errors import CometRefuses, CometUnavailable
from vibecheck.records import merge, pictures
from vibecheck.records.db.tables import predictions as predictions_table
from vibecheck.records.db.transactions import writing
from vibecheck.records.labels.training_sets import TrainingSets
from vibecheck.records.outbox.messages import payload_of
from vibecheck.records.outbox.queue import RESTORE, ROLLUP, Outbox
from vibecheck.records.readings import WAIT, ShadowReading
from vibecheck.records.store import Store
from vibecheck.settings import Settings

ALL_DAYS = 3650


def remember(comet, prediction, picture=None, labels=()):
    """Puts a prediction into Comet as the sender does."""
    day = layout.day_of(prediction.made_at)
    experiment = comet.experiment(layout.experiment_key("main", day), "vibecheck")
    put(
        experiment,
        prediction.picture_name if picture else f"prediction_{prediction.id}.json",
        prediction,
        picture,
    )
    for label in labels:
        put(experiment, f"feedback_{prediction.id}_{label.n}.json", label)
    return experiment


def put(experiment, name, value, content=None, metadata=None):
    from tests.standins.comet import StoredAsset

    metadata = json.dumps(payload_of(value) if metadata is None else metadata)
    asset = StoredAsset(
        f"{len(experiment.assets)}-{name}", name, "asset", metadata, content or b"{}", len(experiment.assets)
    )
    experiment.assets[asset.id] = asset


def read_back(settings, store, days_back=ALL_DAYS, say=lambda at: None):
    for at in restores.restore(settings.model_copy(update={"retention_days": days_back}), store):
        say(at)
    return at


@pytest.fixture
def elsewhere(settings, tmp_path):
    """Settings of a machine with nothing on it that reads the same deployment."""
    return settings.model_copy(update={"data": tmp_path / "elsewhere", "database_url": None})


@both_databases
def test_restore_on_an_empty_disk_brings_all_records_back(settings, store, comet, elsewhere):
    made = [
        a_prediction(
            made_at=NOON + timedelta(hours=9 * number), picture_kept=number % 2 == 0, visitor=f"v{number}"
        )
        for number in range(6)
    ]
    for number, prediction in enumerate(made):
        store.add(
            prediction, JPEG + bytes([number]) if prediction.picture_kept else None, "the project's own"
        )
        store.label(prediction.id, "sad", "audit", "someone", NOON + timedelta(days=1))
        store.label(prediction.id, "fear", "labeller", None, NOON + timedelta(days=2))
        store.played(
            prediction.id,
            playlist_id="p",
            playlist_name="Sérénité",
            mode="lift",
            again=False,
            found_by="search",
            now=NOON,
            category="happy",
            followed="sad",
        )
    Sender(settings, store, FAST).run(until_empty=True)
    with Opened(elsewhere) as new:
        at = read_back(elsewhere, new)
        assert at.done and (at.days, at.predictions, at.labels, at.pictures) == (3, 6, 12, 3)
        assert list(new.history()) == list(store.history())
        for prediction in made:
            assert new.get(prediction.id) == prediction
            assert new.picture(prediction.id) == store.picture(prediction.id)
            assert new.feedback_of(prediction.id) == store.feedback_of(prediction.id)
            (play,) = store.plays_of(prediction.id)
            assert new.plays_of(prediction.id) == [replace(play, playlist_name="")]
        assert new.model_versions() == store.model_versions()
        # The embedded model, which a new disk begins with, is news; what was restored is not.
        assert {row.kind for row in queued(new)} <= {ROLLUP, "model", "promotion"}


@both_databases
def test_readings_are_sent_and_restored_with_their_prediction(settings, store, comet, elsewhere):
    made = a_prediction(picture_kept=True), a_prediction()
    for each in made:
        store.add(each, JPEG if each.picture_kept else None, hold=WAIT)
        readings = [ShadowReading(each.id, name, each.probabilities, 4.5) for name in ("hub/vit", "tuned")]
        store.readings.add(readings)
    Sender(settings, store, FAST).run(until_empty=True)
    assert len([name for name in comet.names() if name.startswith(("input_", "prediction_"))]) == 2
    with Opened(elsewhere) as new:
        read_back(elsewhere, new)
        read_back(elsewhere, new)
        for each in made:
            assert new.readings.of(each.id) == store.readings.of(each.id) != ()


class Opened:
    """A store that is closed again."""

    def __init__(self, settings: Settings) -> None:
        self._store = open_store(settings)

    def __enter__(self) -> Store:
        return self._store

    def __exit__(self, *raised) -> None:
        self._store.close()


def test_restore_brings_sides_back_and_keeps_local_ones(settings, store, comet, elsewhere):
    made = [a_prediction() for _ in range(2)]
    for each in made:
        store.add(each, None)
    first, second = (each.id for each in made)
    TrainingSets(engine_of(store)).assign({first: "held_out", second: "train"}, NOON)
    Sender(settings, store, FAST).run(until_empty=True)
    with Opened(elsewhere) as new:
        new.add(made[1], None)
        TrainingSets(engine_of(new)).assign({second: "held_out"}, NOON)
        read_back(elsewhere, new)
        assert TrainingSets(engine_of(new)).sides([first, second]) == {first: "held_out", second: "held_out"}


def test_second_label_is_restored_as_such_and_adds_no_accuracy_point(settings, store, comet, elsewhere):
    prediction = a_prediction(picture_kept=True)
    store.add(prediction, JPEG)
    for labeller, mood in (("ann", "happy"), ("ben", "sad")):
        store.label(prediction.id, mood, "labeller", labeller, NOON, "random")
    Sender(settings, store, FAST).run(until_empty=True)
    assert comet.points("correct") == [1.0]
    with Opened(elsewhere) as new:
        read_back(elsewhere, new)
        assert [each.source for each in new.feedback_of(prediction.id)] == ["labeller", "second"]
        assert new.labelled(prediction.id).label.label == "happy"
        assert new.statistics.label_pairs() == store.statistics.label_pairs() != []
        assert new.queues.next("random", 9, "cat") == []


def test_second_restore_changes_nothing_and_downloads_no_picture_again(settings, store, comet):
    prediction = a_prediction(picture_kept=True)
    remember(comet, prediction, JPEG)
    read_back(settings, store)
    downloads = comet.asked("get-asset")
    at = read_back(settings, store)
    assert (at.predictions, at.labels, at.pictures) == (0, 0, 0)
    assert comet.asked("get-asset") == downloads == 1


def test_restore_reads_newest_days_first_and_pictures_last(settings, store, comet):
    for day in range(3):
        remember(comet, a_prediction(made_at=NOON + timedelta(days=day), picture_kept=True), JPEG)
    seen = []
    read_back(settings, store, say=lambda at: seen.append((at.days_read, at.predictions, at.pictures_left)))
    assert seen[:4] == [(0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3)]
    asked = [query["experimentKey"] for _, path, query in comet.log if path.endswith("asset/list")]
    assert asked == [
        layout.experiment_key("main", layout.day_of(NOON + timedelta(days=d))) for d in (2, 1, 0)
    ]
    paths = [path for _, path, _ in comet.log if path.endswith(("asset/list", "get-asset"))]
    assert [path.endswith("asset/list") for path in paths] == [True] * 3 + [False] * 3


def test_interrupted_restore_continues_where_it_failed(settings, store, comet):
    made = [a_prediction(made_at=NOON + timedelta(days=day), picture_kept=True) for day in range(3)]
    for prediction in made:
        remember(comet, prediction, JPEG)
    for path, times in (("asset/list", 1), ("get-asset", 4)):
        comet.fault(path, status=500, times=times)
        with pytest.raises(CometUnavailable):
            read_back(settings, store)
        comet.faults.clear()
    read_back(settings, store)
    assert store.count() == 3
    assert all(store.picture(prediction.id) == JPEG for prediction in made)


@pytest.mark.slow
def test_a_thousand_predictions_a_day_cost_a_few_requests_a_day(settings, store, comet):
    for number in range(3000):
        remember(comet, a_prediction(made_at=NOON - timedelta(days=number % 3)))
    at = read_back(settings, store)
    assert (at.days, at.predictions) == (3, 3000)
    assert store.count() == 3000
    assert len(comet.log) <= 3 * 2 + 6


def test_predictions_past_their_retention_are_not_restored(settings, store, comet):
    for age in (0.5, 1.5, 2.5):
        remember(comet, a_prediction(made_at=datetime.now(UTC) - timedelta(days=age)))
    read_back(settings, store, days_back=2)
    assert store.count() == 2


def test_other_deployments_and_other_experiments_are_left_alone(settings, store, comet):
    remember(comet, a_prediction())
    comet.experiment("a" * 32, "vibecheck")
    other = settings.model_copy(update={"deployment": "other"})
    assert read_back(other, store).days == 0
    assert store.count() == 0


def test_restore_without_a_comet_project_reads_nothing(settings, store, comet):
    assert read_back(settings, store).days == 0
    comet.experiment("a" * 32, "another project")
    assert read_back(settings, store).days == 0


def test_restore_with_a_wrong_api_key_reports_the_setting(settings, store, comet):
    comet.keys = {"another"}
    with pytest.raises(CometRefuses, match="COMET_API_KEY"):
        read_back(settings, store)


def test_foreign_or_malformed_assets_are_not_restored(settings, store, comet):
    good = a_prediction()
    experiment = remember(comet, good)
    payload = payload_of(a_prediction())
    put(experiment, f"prediction_{payload['id']}.json", None, metadata=payload | {"confidence": 7})
    put(experiment, f"prediction_{'f' * 32}.json", None, metadata=payload)
    put(experiment, f"prediction_{good.id}x.json", None, metadata=payload)
    put(experiment, f"../input_{good.id}.jpg", None, metadata=payload)
    put(experiment, f"feedback_{'e' * 32}_1.json", None, metadata={"label": "sad"})
    put(experiment, "holiday.png", None, metadata={})
    assert read_back(settings, store).predictions == 1
    assert [prediction for prediction, _ in store.history()] == [good]


@pytest.mark.parametrize("content", [b"<html>", b"\xff\xd8" + bytes(2_000_001)], ids=["no JPEG", "too large"])
def test_picture_that_is_no_jpeg_or_too_large_is_not_restored(settings, store, comet, content):
    prediction = a_prediction(picture_kept=True)
    remember(comet, prediction, content)
    assert read_back(settings, store).pictures == 0
    assert store.picture(prediction.id) is None


def test_picture_deleted_here_during_a_restore_stays_deleted(settings, store, comet):
    prediction = a_prediction(picture_kept=True)
    remember(comet, prediction, JPEG)

    def forget(at):
        if at.days_read:
            with writing(engine_of(store)) as connection:
                connection.execute(delete(predictions_table))

    assert read_back(settings, store, say=forget).pictures == 0
    assert not store.pictures.exists(prediction.id)


def test_visitor_who_deletes_their_data_during_a_restore_is_not_restored(settings, store, comet):
    theirs = [
        a_prediction(made_at=NOON + timedelta(days=day), picture_kept=True, visitor="v") for day in range(3)
    ]
    other = a_prediction(visitor="w")
    for each in theirs:
        remember(comet, each, JPEG)
    remember(comet, other)
    read_back(settings, store, say=lambda at: at.days_read == 1 and store.forget_visitor("v", NOON))
    assert [prediction for prediction, _ in store.history()] == [other]
    deleted = {row.prediction_id for row in queued(store) if row.kind == "deletion"}
    assert deleted == {each.id for each in theirs}
    assert not any(store.pictures.exists(each.id) for each in theirs)
    assert store.notes.subjects("forgotten visitor") == []  # nor is anything about them left


def test_restore_by_a_command_that_is_killed_is_continued_by_the_app(settings, store, comet, monkeypatch):
    monkeypatch.setattr(claims, "CHECK_EVERY", 0.02)
    remember(comet, a_prediction(made_at=NOON, visitor="v"))
    store.outbox(timedelta(0)).begin(RESTORE)
    store.forget_visitor("v", NOON)
    with fetching(settings, store):
        wait_for(lambda: store.notes.read(RESTORED) and not store.notes.subjects("forgotten visitor"))
        assert store.count() == 0 and not store.outbox().contains(RESTORE)


def test_restore_by_a_command_that_is_interrupted_leaves_nothing_of_deleted_visitors(
    settings, store, comet, monkeypatch
):
    remember(comet, a_prediction(made_at=NOON, visitor="v"))
    merge_all = Store.merge

    def merge_and_stop(self, found):
        merge_all(self, found)
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "merge", merge_and_stop)
    with pytest.raises(KeyboardInterrupt):
        read_back(settings, store, say=lambda at: store.forget_visitor("v", NOON))
    assert store.count() == 0 and store.notes.subjects("forgotten visitor") == []


def test_visitors_stay_noted_if_a_restore_begins_as_another_one_ends(store, comet, monkeypatch):
    contains = Outbox.contains

    def and_then_another_begins(self, kind):
        found = contains(self, kind)
        monkeypatch.undo()
        store.outbox().begin(RESTORE)
        store.forget_visitor("v", NOON)
        return found

    monkeypatch.setattr(Outbox, "contains", and_then_another_begins)
    store.end_of_restore()
    assert store.notes.subjects("forgotten visitor") == ["forgotten visitor v"]


def test_visitors_stay_noted_until_the_last_of_several_restores_ends(settings, store, comet):
    fetch(store)
    store.forget_visitor("v", NOON)
    read_back(settings, store)
    assert store.notes.subjects("forgotten visitor")


def test_nothing_about_a_deleted_visitor_is_noted_after_the_restore(settings, store, comet, monkeypatch):
    monkeypatch.setattr(claims, "CHECK_EVERY", 0.02)
    store.forget_visitor("early", NOON)
    fetch(store)
    store.forget_visitor("late", NOON)
    assert store.notes.subjects("forgotten visitor") == ["forgotten visitor late"]
    with fetching(settings, store):
        wait_for(lambda: store.notes.read(RESTORED))
        assert store.notes.subjects("forgotten visitor") == []


def test_restore_leaves_the_last_room_on_the_disk_to_the_database(settings, store, comet, monkeypatch):
    monkeypatch.setattr(claims, "CHECK_EVERY", 0.02)
    monkeypatch.setattr(pictures, "FREE_DISK_FLOOR", 10**18)
    prediction = a_prediction(made_at=datetime.now(UTC), picture_kept=True)
    remember(comet, prediction, JPEG)
    fetch(store)
    with fetching(settings, store):
        wait_for(lambda: (at := comet_state(store).restoring) and "nearly full" in at.sentence)
        assert store.count() == 1 and not store.pictures.exists(prediction.id)


def test_picture_deleted_in_comet_during_a_restore_is_no_error(settings, store, comet):
    prediction = a_prediction(picture_kept=True)
    experiment = remember(comet, prediction, JPEG)
    at = read_back(settings, store, say=lambda at: at.days_read and experiment.assets.clear())
    assert at.done and at.pictures == 0


def test_day_without_a_rollup_is_scheduled_for_one(settings, store, comet):
    remember(comet, a_prediction())
    today = a_prediction(made_at=datetime.now(UTC))
    remember(comet, today)
    read_back(settings, store)
    days = {"2026-01-31", today.made_at.date().isoformat()}
    assert {row.payload["day"] for row in queued(store) if row.kind == ROLLUP} == days
    Sender(settings, store, FAST).run(until_empty=True)
    read_back(settings, store)
    assert [row for row in queued(store) if row.kind != "model"] == []


def test_new_days_are_merged_into_a_store_that_is_not_empty(settings, store, comet):
    mine = a_prediction()
    store.add(mine, None)
    remember(comet, a_prediction(made_at=NOON + timedelta(days=1)))
    assert read_back(settings, store).predictions == 1
    assert store.count() == 2


def fetching(settings, store):
    """The sending process's thread that restores runs until the block ends."""
    return running(partial(restores.run, settings, store))


def test_restore_is_scheduled_until_one_is_complete_even_if_the_store_has_records(
    settings, store, comet, monkeypatch
):
    monkeypatch.setattr(claims, "CHECK_EVERY", 0.02)
    remember(comet, replace(a_prediction(), made_at=datetime.now(UTC)))
    store.add(a_prediction(), None)  # by a visitor who came within the first seconds
    restores.begin_once(settings, store)
    restores.begin_once(settings, store)
    with fetching(settings, store):
        wait_for(lambda: store.count() == 2)
        wait_for(lambda: store.notes.read(RESTORED))
        restores.begin_once(settings, store)
        assert [row for row in queued(store) if row.kind == RESTORE] == []
        restores.begin_once(settings.model_copy(update={"deployment": "other"}), store)
        assert [row for row in queued(store) if row.kind == RESTORE]


def test_bug_while_restoring_is_shown_and_the_thread_goes_on(settings, store, comet, monkeypatch):
    monkeypatch.setattr(claims, "CHECK_EVERY", 0.02)
    remember(comet, replace(a_prediction(), made_at=datetime.now(UTC)))
    fetch(store)
    with monkeypatch.context() as patch:
        patch.setattr(restores, "_restore", lambda *_, **__: 1 / 0)
        with fetching(settings, store):
            wait_for(lambda: comet_state(store).restoring)
            assert comet_state(store).restoring.sentence.startswith("A bug in VibeCheck (ZeroDivisionError)")
            patch.undo()
            wait_for(lambda: store.outbox().retry_all())
            wait_for(lambda: comet_state(store).restoring.done and store.count() == 1)


def odd(comet, name, metadata):
    """An asset of a day whose metadata are this text."""
    from tests.standins.comet import StoredAsset

    experiment = comet.experiment(layout.experiment_key("main", layout.day_of(NOON)), "vibecheck")
    experiment.assets[name] = StoredAsset(name, name, "asset", metadata, b"{}", 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: "[" * 100_000,
        lambda plain: json.dumps(plain | {"model_version": "\ud800"}),
        lambda plain: json.dumps(plain | {"model_version": "a\0b"}),
        lambda plain: json.dumps(plain | {"face": "[" * 100_000}),
        lambda plain: json.dumps(plain | {"made_at": "9999-12-31T23:59:59-12:00"}),
        lambda plain: json.dumps(plain | {"made_at": "0001-01-01T00:00:00+12:00"}),
        lambda plain: json.dumps(plain | {"made_at": 10**40}),
        lambda plain: json.dumps(plain | {"probabilities": None}),
    ],
)
@both_databases
def test_invalid_asset_is_refused_with_a_reason_and_the_others_are_restored(settings, store, comet, change):
    good, bad = a_prediction(), a_prediction()
    remember(comet, good)
    odd(comet, f"prediction_{bad.id}.json", change(payload_of(bad)))
    odd(comet, "somebody_else.json", change(payload_of(bad)))
    at = read_back(settings, store)
    assert (at.predictions, at.done) == (1, True)
    assert at.refused == 1 and at.reason.startswith(f"prediction_{bad.id}.json: ")
    assert store.get(good.id) == good


def test_a_picture_over_the_limit_is_refused_by_its_size(settings, store, comet, monkeypatch):
    prediction = a_prediction(picture_kept=True)
    remember(comet, prediction, JPEG + bytes(3_000_000))
    at = read_back(settings, store)
    assert (at.pictures, at.refused) == (0, 1) and "2,000,000 bytes" in at.reason
    assert comet.asked("get-asset") == 0


def test_short_pages_of_experiments_do_not_end_the_list(settings, store, comet):
    comet.page_limit = 2
    for number in range(5):
        remember(comet, a_prediction(made_at=NOON + timedelta(days=number)))
    assert read_back(settings, store).predictions == 5


def test_deleted_prediction_is_deleted_in_comet_again_and_not_restored(settings, store, comet):
    prediction = a_prediction(picture_kept=True)
    remember(comet, prediction, JPEG)
    with writing(engine_of(store)) as connection:
        merge.forget(connection, prediction.id, NOON - timedelta(days=400))
        merge.forget(connection, "0" * 32, datetime.now(UTC))
    assert read_back(settings, store).predictions == 0
    assert comet.names() == [] and not store.pictures.exists(prediction.id)


def test_failed_restore_is_reported_and_retried(settings, store, comet, monkeypatch):
    monkeypatch.setattr(claims, "CHECK_EVERY", 0.02)
    monkeypatch.setattr(restores, "TRIES_AGAIN", timedelta(seconds=0.1))
    comet.fault("account-details", status=500)
    remember(comet, replace(a_prediction(), made_at=datetime.now(UTC)))
    fetch(store)
    seen = []
    with fetching(settings, store):
        wait_for(lambda: seen.append(comet_state(store).restoring) or store.count() == 1)
        wait_for(lambda: comet_state(store).restoring.done)
        assert any(at and "internal problem" in at.sentence for at in seen)
        wait_for(lambda: not [row for row in queued(store) if row.kind == RESTORE])
