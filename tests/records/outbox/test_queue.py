"""The outbox shared by senders: rows go out in order and once, even if a sender dies or the clock changes."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, insert, select, text, update

from tests.records.examples import NOON, a_prediction
from tests.records.rows import engine_of, queued
from vibecheck.records.db.tables import outbox
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.outbox import queue
from vibecheck.records.outbox.queue import LEASE, LONGEST_PAUSE, Outbox

A, B = "a" * 32, "b" * 32
SECOND = timedelta(seconds=1)


def tell(engine, *subjects, kind="feedback"):
    """Adds rows about these predictions, in this order; returns their numbers."""
    rows = [
        {"kind": kind, "prediction_id": subject, "payload": {}, "created_at": NOON + number * SECOND}
        for number, subject in enumerate(subjects)
    ]
    with writing(engine) as connection:
        return [connection.execute(insert(outbox).values(row)).inserted_primary_key[0] for row in rows]


def outbox_of(engine, by="me", now=NOON):
    return Outbox(engine, by, clock=lambda connection: now)


def take(engine, by="me", limit=10, now=NOON, **options):
    return outbox_of(engine, by, now).claim(limit, **options)


def numbers(claimed):
    return [each.id for each in claimed]


def queue_state(engine):
    return Outbox(engine).state()


def test_the_oldest_row_of_each_prediction_is_taken(engine):
    first, _, other, _ = tell(engine, A, A, B, B)
    assert numbers(take(engine)) == [first, other]


def test_row_is_claimed_only_after_the_one_before_it_is_delivered(engine):
    first, second = tell(engine, A, A)
    (claimed,) = take(engine)
    assert take(engine) == []
    assert outbox_of(engine, "me").finish(claimed)
    assert numbers(take(engine)) == [second] != [first]


def test_a_row_that_waits_for_its_next_attempt_holds_back_the_ones_after_it(engine):
    tell(engine, A, A)
    (claimed,) = take(engine)
    outbox_of(engine, "me").postpone(claimed, 60 * SECOND, "no network")
    assert take(engine, now=NOON + 59 * SECOND) == []
    (again,) = take(engine, now=NOON + 60 * SECOND)
    assert again == replace(claimed, attempts=2)


def test_row_set_aside_blocks_only_its_own_prediction_until_it_is_retried(engine):
    first, _, other = tell(engine, A, A, B)
    claimed, untried = take(engine)
    outbox_of(engine, "me").set_aside(claimed, "too large")
    outbox_of(engine, "me").release([untried])
    stands = queue_state(engine)
    assert (stands.queued, stands.oldest) == (1, NOON + 2 * SECOND)
    assert (stands.set_aside, stands.behind) == ({"too large": 1}, 1)
    assert numbers(take(engine)) == [other]
    assert outbox_of(engine).retry_all() == 1
    assert numbers(take(engine)) == [first]


def test_a_rejected_row_of_a_deleted_prediction_does_not_hold_back_the_deletion(engine):
    tell(engine, A)
    (sent,) = take(engine)
    (deletion,) = tell(engine, A, kind="deletion")
    outbox_of(engine).set_aside(sent, "too large")
    (claimed,) = take(engine)
    assert claimed.id == deletion
    outbox_of(engine).set_aside(claimed, "not now")
    with reading(engine) as connection:
        assert connection.execute(select(outbox.c.id)).scalars().all() == [deletion]


def test_claimed_row_cannot_be_claimed_by_others_until_the_lease_ends(engine):
    tell(engine, A)
    (claimed,) = take(engine, by="me")
    assert take(engine, by="other", now=NOON + LEASE - SECOND) == []
    (theirs,) = take(engine, by="other", now=NOON + LEASE)
    assert theirs.attempts == 2
    assert not outbox_of(engine, "me").finish(claimed)
    assert outbox_of(engine, "other").finish(theirs)


def test_renewed_claim_outlasts_its_first_lease(engine):
    tell(engine, A, B)
    mine = take(engine)
    assert outbox_of(engine, "me", NOON + 60 * SECOND).renew(mine) == set(numbers(mine))
    assert outbox_of(engine, "other", NOON + 60 * SECOND).renew(mine) == set()
    assert take(engine, by="other", now=NOON + LEASE) == []


def test_sender_with_an_older_clock_reading_leaves_rows_that_another_claimed(engine):
    tell(engine, A, B)
    _, postponed = take(engine, by="other")
    outbox_of(engine, "other").postpone(postponed, LONGEST_PAUSE, "no network")
    assert take(engine, by="me", now=NOON - timedelta(milliseconds=1)) == []


@pytest.mark.parametrize("back", [timedelta(minutes=3), timedelta(days=1), timedelta(days=4000)])
def test_abandoned_claim_is_taken_over_even_if_the_clock_was_set_back(engine, back):
    tell(engine, A)
    assert take(engine, by="dead")
    assert take(engine, by="me", now=NOON - back)


@pytest.mark.parametrize("back", [timedelta(hours=2), timedelta(days=4000)])
def test_pause_ends_even_if_the_clock_was_set_back(engine, back):
    tell(engine, A)
    (claimed,) = take(engine)
    outbox_of(engine, "me").postpone(claimed, LONGEST_PAUSE, "later")
    assert take(engine, now=NOON - back)


def test_released_rows_do_not_count_as_attempted(engine):
    tell(engine, A)
    claimed = take(engine)
    outbox_of(engine, "me").release(claimed)
    (again,) = take(engine, by="other")
    assert again.attempts == 1


def test_withdraw_removes_only_rows_that_are_not_being_sent(engine):
    sent, _ = tell(engine, A, A)
    take(engine)
    tell(engine, B)
    with writing(engine) as connection:
        queue.withdraw(connection, [A, B])
    (deletion,) = tell(engine, A, kind="deletion")
    with reading(engine) as connection:
        assert connection.execute(select(outbox.c.id).order_by(outbox.c.id)).scalars().all() == [
            sent,
            deletion,
        ]
    assert take(engine, by="other") == [], "the deletion must come after what is on its way"


def test_scheduled_chore_is_stored_once_and_claimed_when_due(engine):
    with writing(engine) as connection:
        for due in (NOON + 9 * SECOND, NOON + 5 * SECOND, NOON + 7 * SECOND):
            queue.schedule(connection, queue.ROLLUP, "2026-01-31", {"day": "2026-01-31"}, due)
    assert take(engine, now=NOON + 4 * SECOND) == []
    (claimed,) = take(engine, now=NOON + 5 * SECOND)
    with writing(engine) as connection:  # something new came while the day is rolled up
        queue.schedule(connection, queue.ROLLUP, "2026-01-31", {"day": "2026-01-31"}, NOON + 6 * SECOND)
    assert take(engine, now=NOON + 6 * SECOND) == []
    outbox_of(engine, "me").finish(claimed)
    assert len(take(engine, now=NOON + 6 * SECOND)) == 1
    stands = queue_state(engine)
    assert (stands.queued, stands.oldest) == (0, None), "nobody waits for a chore"


def test_task_that_was_set_aside_is_due_when_it_is_scheduled_again(engine):
    mine = outbox_of(engine, "me")
    mine.schedule(queue.RESTORE, queue.RESTORE, {})
    (claimed,) = take(engine)
    mine.set_aside(claimed, "no access")
    assert take(engine) == [] and queue_state(engine).set_aside == {"no access": 1}
    mine.schedule(queue.RESTORE, queue.RESTORE, {})
    assert queue_state(engine).set_aside == {}
    assert numbers(take(engine)) == [claimed.id]


def test_claim_can_include_or_exclude_kinds_of_rows(engine):
    tell(engine, A)
    (restore,) = tell(engine, "restore", kind=queue.RESTORE)
    assert numbers(take(engine, kinds=[queue.RESTORE])) == [restore]
    assert restore not in numbers(take(engine, but=[queue.RESTORE], now=NOON + LEASE))


def test_many_senders_send_everything_once_and_in_order(store):
    ids = [a_prediction().id for _ in range(12)]
    for _ in range(5):
        tell(engine_of(store), *ids)
    sent = []

    def send(number):
        mine, order = Outbox(engine_of(store), f"sender {number}"), random.Random(number)
        while batch := mine.claim(order.randint(1, 5)):
            for claimed in batch:
                sent.append(claimed)
                assert mine.finish(claimed)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(send, range(4)))
    assert queue_state(engine_of(store)).queued == 0
    assert len({row.id for row in sent}) == len(sent) == 60
    for prediction_id in ids:
        mine = [row.id for row in sent if row.prediction_id == prediction_id]
        assert mine == sorted(mine)


def test_claim_fills_its_limit_from_a_long_queue(engine):
    rows = [
        {"kind": "play", "prediction_id": f"{number // 2:032x}", "payload": {}, "created_at": NOON}
        for number in range(20_000)
    ]
    with writing(engine) as connection:
        connection.execute(insert(outbox), rows)
        connection.execute(
            update(outbox).where(outbox.c.id % 4 == 1).values(next_attempt_at=NOON + LONGEST_PAUSE)
        )
        connection.execute(text("ANALYZE"))
    asked = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    assert len(take(engine, limit=16)) == 16
    explain = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}[engine.dialect.name]
    with engine.connect() as connection:
        searches = [each for each in asked if " AS earlier" in each[0]]
        assert len(searches) == 2, "whether anything is due, and what"
        for statement, parameters in searches:
            found = connection.exec_driver_sql(explain + statement, parameters).all()
            plan = [str(row[-1]) for row in found]
            assert not [line for line in plan if "Seq Scan" in line], plan
            (search,) = (line for line in plan if " earlier" in line)
            assert "ix_outbox_prediction_id" in search, "earlier rows are searched by prediction"


def test_follow_up_of_a_delivery_is_committed_with_it_or_not_at_all(store):
    tell(engine_of(store), A)
    mine = Outbox(engine_of(store), "me")
    (claimed,) = mine.claim(1)

    def fail(connection, now):
        queue.schedule(connection, queue.ROLLUP, "x", {}, now)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        mine.finish(claimed, fail)
    assert [row.kind for row in queued(store)] == ["feedback"]
    mine.finish(claimed, lambda connection, now: queue.schedule(connection, queue.ROLLUP, "x", {}, now))
    assert [row.kind for row in queued(store)] == ["rollup"]
