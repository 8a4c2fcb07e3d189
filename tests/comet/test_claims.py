import threading

from tests.records.examples import a_prediction
from tests.waiting import running, wait_for
from vibecheck.comet import claims
from vibecheck.comet.claims import handle_all, held
from vibecheck.errors import RecordsError

KIND = "prediction"


def test_rows_of_a_kind_are_handled_whatever_happened_to_the_one_before(store, monkeypatch):
    monkeypatch.setattr(claims, "CHECK_EVERY", 0.01)
    problems = [RecordsError("The database is away."), ZeroDivisionError("a bug")]
    outbox, handled = store.outbox(), []

    def handle(claimed):
        handled.append(claimed.prediction_id)
        outbox.finish(claimed)
        if problems:
            raise problems.pop()

    made = [a_prediction() for _ in range(3)]
    for each in made:
        store.add(each, None)
    with running(lambda stop: handle_all(outbox, KIND, handle, stop, "A test")):
        wait_for(lambda: len(handled) == 3)
    assert handled == [each.id for each in made] and not problems


def test_a_held_claim_is_renewed_until_the_block_ends(store, monkeypatch):
    monkeypatch.setattr(claims, "RENEW_EVERY", 0.01)
    store.add(a_prediction(), None)
    outbox, renewed = store.outbox(), []
    (claimed,) = outbox.claim(1)
    monkeypatch.setattr(outbox, "renew", lambda rows: renewed.append(rows))
    with held(outbox, claimed):
        wait_for(lambda: len(renewed) > 2)
    assert renewed[0] == [claimed] and "comet-claim" not in [each.name for each in threading.enumerate()]
