"""Everything in the outbox reaches Comet once and in order, whatever fails on the way."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from tests.comet.conftest import API_KEY, FAST, both_databases
from tests.records.examples import EXAMPLE, JPEG, NOON, a_prediction
from tests.records.rows import engine_of, queued
from tests.waiting import running, wait_for
from vibecheck.comet import layout
from vibecheck.comet.client import Comet
from vibecheck.comet.sender import Sender
from vibecheck.comet.status import comet_state, try_again
from vibecheck.errors import CometUnavailable
from vibecheck.records.db.tables import outbox
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.outbox.messages import SENDER, payload_of
from vibecheck.records.outbox.queue import TASKS
from vibecheck.records.values import Feedback, Play, Prediction

DAY = layout.day_of(NOON)
KEY = layout.experiment_key("main", DAY)
UPLOAD = "write/experiment/upload-asset"


def send(settings, store, pace=FAST):
    """Sends until nothing is left to send now."""
    Sender(settings, store, pace).run(until_empty=True)


def tell(store, kind, prediction_id, payload):
    """Adds a row of a kind that other parts of the project write."""
    row = {"kind": kind, "prediction_id": prediction_id, "payload": payload, "created_at": NOON}
    with writing(engine_of(store)) as connection:
        connection.execute(insert(outbox).values(row))


def waiting(store):
    """What is in the queue, without the tasks."""
    return [row for row in queued(store) if row.kind not in TASKS]


def sending(settings, store, pace=FAST):
    """A sender runs in a thread until the block ends."""
    sender = Sender(settings, store, pace)
    return running(lambda stop: sender.run(), sender.stop)


def said(store, words):
    """The state in which a sender said these words; the next attempt replaces it."""
    return wait_for(lambda: state if words in (state := comet_state(store)).sentence else None)


@pytest.fixture
def first(store):
    """A prediction with a picture, in the store; Comet knows nothing yet."""
    prediction = a_prediction(picture_kept=True)
    store.add(prediction, JPEG, "the project's own")
    return prediction


@pytest.fixture
def added(first, comet):
    """A prediction with a picture, in the store, of a day that has its experiment."""
    comet.experiment(KEY, "vibecheck")
    return first


def test_a_picture_carries_its_whole_prediction(settings, store, comet, first):
    send(settings, store)
    experiment = comet.experiments[KEY]
    (asset,) = experiment.named(first.picture_name)
    assert asset.content == JPEG and asset.kind == "image"
    metadata = json.loads(asset.metadata)
    assert metadata == payload_of(first) | {"model_origin": "the project's own"}
    assert layout.value_from(Prediction, metadata) == first
    assert (experiment.project, experiment.name) == ("vibecheck", "main 2026-01-31")
    assert set(experiment.tags) == {"production", "main"}
    assert comet.points("confidence") == [first.confidence]
    assert waiting(store) == []


def test_prediction_without_a_picture_is_uploaded_as_json(settings, store, comet):
    prediction = a_prediction()
    store.add(prediction, None)
    send(settings, store)
    (asset,) = comet.experiments[KEY].named(f"prediction_{prediction.id}.json")
    assert layout.value_from(Prediction, json.loads(asset.content)) == prediction
    assert layout.value_from(Prediction, json.loads(asset.metadata)) == prediction


def test_labels_and_plays_are_filed_under_the_day_of_their_prediction(settings, store, comet, added):
    much_later = NOON + timedelta(days=40)
    store.label(added.id, "sad", "labeller", "x", much_later)
    label = store.label(added.id, "happy", "labeller", "y", much_later + timedelta(seconds=1))
    play = store.played(
        added.id,
        playlist_id="p",
        playlist_name="A stranger's title",
        mode="match",
        again=False,
        found_by="search",
        now=NOON,
        category="happy",
    )
    send(settings, store)
    assert list(comet.experiments) == [KEY]
    (asset,) = comet.experiments[KEY].named(f"feedback_{added.id}_2.json")
    assert layout.value_from(Feedback, json.loads(asset.metadata)) == label
    (asset,) = comet.experiments[KEY].named(f"play_{added.id}_1.json")
    metadata = json.loads(asset.metadata)
    assert layout.value_from(Play, metadata | {"playlist_name": ""}) == replace(play, playlist_name="")
    assert metadata["category"] == "happy"
    assert "stranger" not in asset.metadata and b"stranger" not in asset.content
    assert comet.points("correct") == [0.0, 1.0]


def test_undone_label_is_deleted_and_its_number_can_be_used_again(settings, store, comet, added):
    label = store.label(added.id, "sad", "audit", None, NOON)
    tell(store, "feedback_undone", added.id, {"prediction_id": added.id, "n": 1})
    send(settings, store)
    assert comet.names() == [added.picture_name]
    again = replace(label, label="fear")
    tell(store, "feedback", added.id, payload_of(again))
    send(settings, store)
    (asset,) = comet.experiments[KEY].named(f"feedback_{added.id}_1.json")
    assert layout.value_from(Feedback, json.loads(asset.metadata)) == again


def test_a_later_label_does_not_wait_until_an_undone_one_is_confirmed(settings, store, comet, added):
    label = store.label(added.id, "sad", "volunteered", "me", NOON)
    send(settings, store)
    store.undo_label(added.id, label.n, "me", NOON)
    store.label(added.id, "fear", "volunteered", "me", NOON)
    send(settings, store, replace(FAST, confirm_after=timedelta(minutes=5)))
    assert comet.names() == sorted([f"feedback_{added.id}_2.json", added.picture_name])
    assert [row.kind for row in waiting(store)] == ["feedback_undone"]


def test_label_that_is_no_mood_adds_no_point_to_the_correct_metric(settings, store, comet, added):
    label = payload_of(Feedback(added.id, 1, "sad", "audit", None, NOON)) | {"label": "can't tell"}
    tell(store, "feedback", added.id, label)
    send(settings, store)
    assert f"feedback_{added.id}_1.json" in comet.names()
    assert comet.points("correct") == []


@pytest.mark.parametrize("kind", ["picture", "picture_kept"])
def test_picture_kept_later_replaces_the_uploaded_json(settings, store, comet, kind):
    prediction = a_prediction()
    store.add(prediction, None)
    send(settings, store)
    kept = replace(prediction, picture_kept=True)
    store.pictures.put(prediction.id, JPEG)
    with writing(engine_of(store)) as connection:
        table = store_table("predictions")
        connection.execute(update(table).where(table.c.id == prediction.id).values(picture_kept=True))
    tell(store, kind, prediction.id, {"prediction_id": prediction.id})
    send(settings, store)
    assert comet.names() == [kept.picture_name]
    (asset,) = comet.experiments[KEY].named(kept.picture_name)
    assert layout.value_from(Prediction, json.loads(asset.metadata)) == kept and asset.content == JPEG
    assert comet.points("confidence") == [prediction.confidence]


def test_prediction_stays_in_comet_if_its_picture_is_lost_before_it_is_sent(settings, store, comet):
    prediction = a_prediction()
    store.add(prediction, None)
    send(settings, store)
    store.keep_picture(prediction.id, JPEG, NOON)
    store.pictures.delete(prediction.id)  # as if its folder was replaced
    send(settings, store)
    assert set(comet.names()) == {f"prediction_{prediction.id}.json"}


def store_table(name):
    from vibecheck.records.db import tables

    return getattr(tables, name)


def delete(store, prediction_id, **payload):
    """Deletes a prediction as the corrections page does."""
    from sqlalchemy import delete as delete_from

    from vibecheck.records.outbox import queue

    with writing(engine_of(store)) as connection:
        table = store_table("predictions")
        connection.execute(delete_from(table).where(table.c.id == prediction_id))
        queue.withdraw(connection, [prediction_id])
    tell(store, "deletion", prediction_id, {"prediction_id": prediction_id} | payload)


@pytest.mark.parametrize("payload", [{}, {"made_at": NOON.isoformat()}])
def test_deletion_removes_all_assets_of_a_prediction_and_nothing_else(settings, store, comet, added, payload):
    other = a_prediction(made_at=NOON - timedelta(days=1), picture_kept=True)
    store.add(other, JPEG)
    store.label(added.id, "sad", "audit", None, NOON)
    send(settings, store)
    rolled_up(settings, store)
    assert added.id in log_of(comet)
    delete(store, added.id, **payload)
    send(settings, store)
    assert [name for name in comet.names() if added.id in name] == []
    assert other.picture_name in comet.names()
    assert added.id not in log_of(comet), "the day is rolled up again at once"


def test_prediction_deleted_before_it_was_sent_is_never_sent(settings, store, comet, added):
    delete(store, added.id)
    send(settings, store)
    assert comet.names() == []
    assert waiting(store) == []


@pytest.mark.parametrize("prediction_id", ["", "0", "feedback"])
def test_deletion_with_an_invalid_id_is_set_aside(settings, store, comet, added, prediction_id):
    send(settings, store)
    tell(store, "deletion", prediction_id, {"prediction_id": prediction_id, "made_at": NOON.isoformat()})
    send(settings, store)
    assert comet.names() == [added.picture_name]
    assert len(comet_state(store).waiting.set_aside) == 1


def rolled_up(settings, store):
    """Sends as if the day was over."""
    with writing(engine_of(store)) as connection:
        connection.execute(update(outbox).where(outbox.c.kind == "rollup").values(next_attempt_at=None))
    send(settings, store)


def log_of(comet):
    (asset,) = comet.experiments[KEY].named("feedback_log.csv")
    return asset.content.decode()


def test_a_day_is_rolled_up_at_the_next_full_hour(settings, store, comet, added):
    send(settings, store)
    (task,) = queued(store)
    assert (task.kind, task.payload) == ("rollup", {"day": "2026-01-31"})
    with writing(engine_of(store)) as connection:
        due = connection.execute(outbox.select()).one().next_attempt_at
    assert (due.minute, due.second, due.microsecond) == (0, 0, 0)
    assert timedelta(0) < due - datetime.now(UTC) <= timedelta(hours=1)
    assert "feedback_log.csv" not in comet.names()
    rolled_up(settings, store)
    assert added.id in log_of(comet)
    assert queued(store) == []


def test_promotion_is_stored_as_an_asset(settings, store, comet):
    payload = {"version": "tuned-2", "kind": "promotion", "why": "better"}
    tell(store, "promotion", "promotion", payload)
    send(settings, store)
    experiment = comet.experiments[layout.experiment_key("main", layout.MODELS)]
    (asset,) = experiment.assets.values()
    assert asset.name == layout.name_of("promotion", payload) and json.loads(asset.metadata) == payload


def test_row_of_an_unknown_kind_is_set_aside_and_the_rest_is_sent(settings, store, comet, added):
    tell(store, "hologram", "0" * 32, {})
    send(settings, store)
    assert comet.names() == [added.picture_name]
    (reason,) = comet_state(store).waiting.set_aside
    assert "'hologram'" in reason and "update" in reason


def test_a_row_that_cannot_be_read_is_set_aside(settings, store, comet, added):
    tell(store, "feedback", added.id, {"prediction_id": added.id})
    send(settings, store)
    (reason,) = comet_state(store).waiting.set_aside
    assert "feedback" in reason


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_row_that_comet_rejects_is_set_aside_until_retried_by_hand(settings, store, comet, added, status):
    other = a_prediction()
    store.add(other, None)
    comet.fault(UPLOAD, status=status, body={"msg": "too large"})
    send(settings, store)
    assert comet.names() == [f"prediction_{other.id}.json"]
    ((reason, count),) = comet_state(store).waiting.set_aside.items()
    assert f"status {status}" in reason and "too large" in reason and count == 1
    assert try_again(store) == 1
    send(settings, store)
    assert added.picture_name in comet.names()
    assert waiting(store) == []


FAULTS = {
    "its own problem": {"status": 500},
    "a gateway": {"status": 503, "body": {}},
    "not JSON": {"status": 200, "body": "<html>"},
    "no number": {"status": 200, "body": {}},
    "cut amid the upload": {"cut": "before"},
    "cut before the answer": {"cut": "after"},
    "too fast": {"status": 429, "headers": {"Retry-After": "0.01"}},
}


@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_failed_upload_is_retried_and_arrives_once(settings, store, comet, added, fault, times):
    store.label(added.id, "sad", "audit", None, NOON)
    comet.fault(UPLOAD, times=times, **fault)
    until_sent(settings, store)
    assert comet.names() == sorted([added.picture_name, f"feedback_{added.id}_1.json"])
    assert (comet.points("confidence"), comet.points("correct")) == ([added.confidence], [0.0])


@pytest.mark.parametrize("fault", [{"status": 500}, {"cut": "before"}, {"cut": "after"}], ids=str)
@pytest.mark.parametrize("path", ["write/experiment/metric", "logger/add/run", "experiment/metadata"])
def test_failures_of_other_requests_are_retried_too(settings, store, comet, first, path, fault):
    comet.fault(path, times=2, **fault)
    until_sent(settings, store)
    assert comet.names() == [first.picture_name]
    assert comet.points("confidence") == [first.confidence]


def until_sent(settings, store, pace=FAST):
    with sending(settings, store, pace):
        wait_for(lambda: not waiting(store))


def test_retry_after_of_comet_is_obeyed(settings, store, comet, added):
    comet.fault(UPLOAD, status=429, headers={"Retry-After": "2"}, body={"msg": "slow down"})
    begun = time.monotonic()
    with sending(settings, store):
        assert not said(store, "more slowly").connected
        wait_for(lambda: not waiting(store))
    assert time.monotonic() - begun >= 2
    assert comet.names() == [added.picture_name]


def test_one_failing_row_does_not_hold_up_the_others(settings, store, comet, added, monkeypatch):
    # The shortest pauses: 2 s before the next row, 4 s before this one.
    monkeypatch.setattr("vibecheck.comet.sender.random.uniform", lambda low, high: low)
    others = [a_prediction() for _ in range(3)]
    for other in others:
        store.add(other, None)
    comet.fault(UPLOAD, status=500)
    expected = {f"prediction_{other.id}.json" for other in others}
    with sending(settings, store, replace(FAST, first_pause=4.0, longest_pause=4.0)):
        wait_for(lambda: expected <= set(comet.names()))
        assert added.picture_name not in comet.names(), "the row that failed was tried again at once"


def trouble(settings, store, words):
    """Lets a sender run into trouble; everything must still be queued, and the words said."""
    with sending(settings, store):
        state = said(store, words)
        assert not state.connected
        assert state.waiting.queued > 0 and state.waiting.set_aside == {}
        assert state.waiting.oldest == NOON


def test_records_stay_queued_until_the_api_key_is_right(settings, store, comet, added):
    comet.keys = {"another"}
    trouble(settings, store, "COMET_API_KEY")
    assert comet.names() == []
    comet.keys = {API_KEY}
    send(settings, store)
    assert comet.names() == [added.picture_name]


def test_api_key_withdrawn_while_sending_is_reported(settings, store, comet, added):
    with sending(settings, store):
        wait_for(lambda: not waiting(store))
        comet.keys = set()
        store.label(added.id, "sad", "audit", None, NOON)
        assert API_KEY not in said(store, "COMET_API_KEY").sentence
        comet.keys = None
        wait_for(lambda: not waiting(store))
        wait_for(lambda: comet_state(store).connected)
    assert len(comet.names()) == 2


def test_missing_workspace_is_reported(settings, store, comet, first):
    trouble(settings.model_copy(update={"comet_workspace": "elsewhere"}), store, "COMET_WORKSPACE")
    send(settings.model_copy(update={"comet_workspace": "standin"}), store)
    assert comet.names() == [first.picture_name]


def test_missing_project_is_created(settings, store, comet, first):
    send(settings.model_copy(update={"comet_project_name": "new"}), store)
    assert comet.experiments[KEY].project == "new"


def test_failure_to_create_an_experiment_is_reported(settings, store, comet, first):
    comet.fault("logger/add/run", times=10**6, status=400, body={"msg": "no", "sdk_error_code": 1})
    trouble(settings, store, "COMET_PROJECT_NAME")


@pytest.mark.parametrize(
    "fault",
    [{"status": 402}, {"status": 400, "body": {"msg": "limit", "code": 7000001}}],
    ids=["402", "images"],
)
def test_records_stay_queued_when_comets_plan_is_used_up(settings, store, comet, added, fault):
    comet.fault(UPLOAD, times=10**6, **fault)
    trouble(settings, store, "plan")
    comet.faults.clear()
    send(settings, store)
    assert comet.names() == [added.picture_name]


def test_a_lasting_problem_is_said_once_and_not_as_connected_in_between(
    settings, store, comet, added, caplog
):
    caplog.set_level("INFO", "vibecheck.comet.sender")
    comet.fault(UPLOAD, times=10**6, status=402)
    with sending(settings, store):
        wait_for(lambda: comet.asked(UPLOAD) > 3)
    (line,) = [each for each in caplog.messages if each.startswith("Comet: ")]
    assert "limit of the Comet plan" in line


def test_records_stay_queued_without_a_network(settings, store, comet, added):
    nowhere = settings.model_copy(update={"comet_url_override": "http://127.0.0.1:9/clientlib/"})
    trouble(nowhere, store, "cannot be reached")
    send(settings, store)
    assert comet.names() == [added.picture_name]


@pytest.mark.parametrize("status", [401, 402, 403])
def test_upload_refused_half_way_is_not_sent_twice(settings, store, comet, added, status):
    comet.fault("write/experiment/metric", status=status)
    until_sent(settings, store)
    assert comet.names() == [added.picture_name]
    assert comet.points("confidence") == [added.confidence]


def test_sending_until_empty_raises_the_reason_why_it_cannot(settings, store, comet, added, caplog):
    comet.fault("", status=500, times=10**6)
    with pytest.raises(CometUnavailable, match="internal problem"):
        send(settings, store)
    assert len(waiting(store)) == 1 and not caplog.records, "the caller says it"


# A row's pause is two to four times as long as the first one.
@pytest.mark.parametrize("first_pause", [0.01, 0.2])
def test_sending_until_empty_tries_a_failed_record_again(settings, store, comet, added, first_pause):
    store.add(a_prediction(), None)
    comet.fault(UPLOAD, status=500)
    send(settings, store, replace(FAST, first_pause=first_pause))
    assert not waiting(store) and added.picture_name in comet.names()


def test_sending_until_empty_gives_up_on_a_record_that_always_fails(settings, store, comet, added):
    comet.fault("write/experiment/metric", status=500, times=10**6)
    with pytest.raises(CometUnavailable, match="internal problem"):
        send(settings, store)
    assert len(waiting(store)) == 1


def test_unexpected_exception_sets_one_row_aside_and_the_rest_is_sent(
    settings, store, comet, added, monkeypatch
):
    from vibecheck.comet.delivery import Delivery

    def broken(self, claimed):
        raise ZeroDivisionError

    monkeypatch.setattr(Delivery, "_part", broken)
    tell(store, "play", added.id, {})
    other = a_prediction()
    store.add(other, None)
    send(settings, store)
    assert comet.names() == sorted([added.picture_name, f"prediction_{other.id}.json"])
    (reason,) = comet_state(store).waiting.set_aside
    assert "ZeroDivisionError" in reason


def test_deleted_experiment_is_created_again(settings, store, comet, added):
    with sending(settings, store):
        wait_for(lambda: not waiting(store))
        comet.experiments.clear()
        store.label(added.id, "sad", "audit", None, NOON)
        wait_for(lambda: not waiting(store))
    assert comet.names() == [f"feedback_{added.id}_1.json"]


@pytest.mark.parametrize(
    "look",
    [
        lambda client: client.has(DAY, "input.jpg"),
        lambda client: client.has_point(DAY, "confidence", NOON),
    ],
    ids=["asset", "metric"],
)
def test_deleted_experiment_rejects_no_row_that_is_looked_up(settings, comet, look):
    comet.experiment(KEY, "vibecheck")
    client = Comet.open(settings)
    assert client.assets(DAY) == []  # from now on it knows the experiment
    comet.experiments.clear()
    with pytest.raises(CometUnavailable, match="it will be created again"):
        look(client)
    assert not look(client)


def test_hanging_upload_is_cut_off_and_retried(settings, store, comet, added, monkeypatch):
    monkeypatch.setenv("COMET_TIMEOUT_FILE_UPLOAD", "1")
    comet.fault(UPLOAD, seconds=30, status=503)
    until_sent(settings, store)
    assert comet.names() == [added.picture_name]


def test_sender_reports_that_it_works_between_the_rows_of_a_batch(settings, store, comet, added, monkeypatch):
    monkeypatch.setattr("vibecheck.comet.sender.HEARTBEAT_EVERY", 0.0)
    for _ in range(5):
        store.add(a_prediction(), None)
    reports, write = [], store.notes.write

    def noting(subject, content):
        reports.append(subject)
        write(subject, content)

    monkeypatch.setattr(store.notes, "write", noting)
    Sender(settings, store, FAST).run(until_empty=True)
    assert reports.count(SENDER) > 6


def test_stopped_sender_leaves_no_row_claimed(settings, store, comet, added):
    for _ in range(4):
        store.add(a_prediction(), None)
    comet.fault(UPLOAD, seconds=0.3, times=10)
    with sending(settings, store):
        wait_for(lambda: comet.asked(UPLOAD))
    with reading(engine_of(store)) as connection:
        rows = connection.execute(select(outbox.c.claimed_by, outbox.c.attempts)).all()
    assert len(rows) >= 4 and {tuple(row) for row in rows} == {(None, 0)}


@both_databases
def test_two_copies_at_once_send_everything_once(settings, store, comet):
    predictions = [a_prediction(made_at=NOON + timedelta(days=day)) for day in range(3) for _ in range(6)]
    for prediction in predictions:
        store.add(prediction, None)
        store.label(prediction.id, "sad", "audit", None, NOON)
    with sending(settings, store), sending(settings, store):
        wait_for(lambda: not waiting(store))
    expected = [f"prediction_{each.id}.json" for each in predictions]
    assert comet.names() == sorted(expected + [f"feedback_{each.id}_1.json" for each in predictions])
    assert len(comet.points("confidence")) == len(comet.points("correct")) == 18
    assert len(comet.experiments) == 3


def test_retry_by_hand_skips_the_pause(settings, store, comet, added):
    comet.fault("account-details", status=500)
    with sending(settings, store, replace(FAST, first_pause=4.0, longest_pause=4.0)):
        said(store, "internal problem")
        try_again(store)
        wait_for(lambda: not waiting(store), seconds=20)


def test_retry_by_hand_during_a_failing_attempt_skips_the_pause_after_it(settings, store, comet, added):
    comet.fault("account-details", seconds=1.5, status=500)
    with sending(settings, store, replace(FAST, first_pause=4.0, longest_pause=4.0)):
        wait_for(lambda: comet.asked("account-details"))
        try_again(store)
        wait_for(lambda: not waiting(store), seconds=20)


def test_sender_survives_a_failing_store(settings, store, comet, added, monkeypatch):
    from vibecheck.errors import RecordsError
    from vibecheck.records.outbox.queue import Outbox

    claim, failures = Outbox.claim, [True, True]

    def failing(self, *arguments, **options):
        if failures:
            failures.pop()
            raise RecordsError("The database is away.")
        return claim(self, *arguments, **options)

    monkeypatch.setattr(Outbox, "claim", failing)
    until_sent(settings, store)
    assert comet.names() == [added.picture_name]


def test_rows_of_a_prediction_that_no_longer_exists_send_nothing(settings, store, comet):
    tell(store, "prediction", EXAMPLE.id, payload_of(EXAMPLE))
    tell(store, "play", EXAMPLE.id, {"prediction_id": EXAMPLE.id, "n": 1})
    send(settings, store)
    assert comet.names() == [] and waiting(store) == []
