"""The state of Comet, read from the records alone."""

from datetime import timedelta

from sqlalchemy import update

from tests.comet.conftest import FAST, both_databases
from tests.records.examples import NOON, a_prediction
from tests.records.rows import engine_of, queued
from vibecheck.comet import layout
from vibecheck.comet.sender import Sender
from vibecheck.comet.status import comet_state, experiment_link, fetch
from vibecheck.records.db.tables import notes
from vibecheck.records.db.transactions import writing
from vibecheck.records.outbox.messages import SENDER


@both_databases
def test_status_before_the_first_upload_says_nothing_was_sent(store):
    store.add(a_prediction(), None)
    store.add(a_prediction(made_at=NOON + timedelta(days=1)), None)
    state = comet_state(store)
    assert not state.connected and state.sentence == "Nothing has been sent yet."
    assert (state.waiting.queued, state.waiting.oldest) == (2, NOON)
    assert state.restoring is None


def test_status_is_connected_only_while_the_senders_note_is_recent(settings, store, comet):
    Sender(settings, store, FAST).run(until_empty=True)
    assert comet_state(store).connected
    for gone in (timedelta(minutes=5), -timedelta(minutes=5)):  # the clock may have been set back
        with writing(engine_of(store)) as connection:
            written = store.notes.read(SENDER).noted_at
            connection.execute(update(notes).values(noted_at=written - gone))
        state = comet_state(store)
        assert not state.connected and "python -m vibecheck send" in state.sentence
        with writing(engine_of(store)) as connection:
            connection.execute(update(notes).values(noted_at=written))


def test_prediction_links_to_the_experiment_of_its_day_once_sent(settings, store, comet):
    prediction = a_prediction()
    store.add(prediction, None)
    assert experiment_link(store, settings, prediction) is None
    Sender(settings, store, FAST).run(until_empty=True)
    key = layout.experiment_key("main", layout.day_of(NOON))
    assert experiment_link(store, settings, prediction) == f"{comet.url}/standin/vibecheck/{key}"


def test_asking_for_a_restore_twice_queues_it_once(store):
    fetch(store)
    fetch(store)
    assert [row.kind for row in queued(store)] == ["restore"]
    assert comet_state(store).waiting.queued == 0
