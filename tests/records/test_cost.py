"""The cost of an operation does not grow with the number of records: counted in SQLite steps, not seconds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from benchmarks.harness.history import fill
from tests.databases import open_store
from tests.records.examples import NOON, PLAY, a_prediction
from tests.records.rows import engine_of, recent
from vibecheck.records.labels import queues
from vibecheck.records.labels.pagination import Filters
from vibecheck.records.store import Store
from vibecheck.settings import Settings

FEW, MANY = 500, 5_000
A_STEP = 10  # of SQLite's instructions


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> dict[int, Store]:
    """One with few vibe checks of half a year, and one with ten times as many; a third has a label."""
    found = {}
    for count in (FEW, MANY):
        found[count] = open_store(Settings(data=tmp_path_factory.mktemp("records")))
        fill(engine_of(found[count]), count, 180, datetime(2026, 6, 30, tzinfo=UTC), pictured=True)
    yield found
    for store in found.values():
        store.close()


def added(store: Store) -> str:
    prediction = a_prediction(audit=True, visitor="somebody")
    store.add(prediction, None)
    return prediction.id


def label(store: Store, now: datetime) -> Callable[[], object]:
    mine = added(store)
    return lambda: store.label(mine, "sad", "audit", None, now)


def undo(store: Store, now: datetime) -> Callable[[], object]:
    mine = added(store)
    store.label(mine, "sad", "audit", "somebody", now)
    return lambda: store.undo_label(mine, 1, "somebody", now)


def play(store: Store, now: datetime) -> Callable[[], object]:
    mine = added(store)
    return lambda: store.played(mine, again=False, now=now, **PLAY)


def delete(store: Store, now: datetime) -> Callable[[], object]:
    mine = added(store)
    store.label(mine, "sad", "volunteered", None, now)
    return lambda: store.forget([mine], now)


@pytest.mark.parametrize(
    "prepare",
    [
        lambda store, now: lambda: store.add(a_prediction(), None),
        label,
        undo,
        play,
        delete,
        lambda store, now: lambda: recent(store, "nobody", 20),
        lambda store, now: lambda: store.page(Filters(disagreed=True), None, 20),
        lambda store, now: lambda: store.page(Filters(unlabelled=True), None, 20),
        lambda store, now: lambda: store.queues.next("useful", 10),
        lambda store, now: lambda: store.queues.next("random", 10),
        lambda store, now: store.queues.labellers,
    ],
    ids=[
        "check",
        "label",
        "undo",
        "play",
        "delete",
        "recent",
        "disagreed",
        "unlabelled",
        "useful",
        "random",
        "labellers",
    ],
)
def test_operation_costs_the_same_with_ten_times_as_many_records(stores, prepare, monkeypatch):
    monkeypatch.setattr(queues, "MANY", 10)  # so that there are many labels of each mood here, too
    few, many = (steps(store, prepare(store, NOON + timedelta(minutes=1))) for store in stores.values())
    assert 0 < many < 1.5 * few + 20


def steps(store: Store, what: Callable[[], object]) -> int:
    """How many steps the database takes for it."""
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    def watch(connection, *_) -> None:
        connection.set_progress_handler(step, A_STEP)

    event.listen(engine_of(store), "checkout", watch)
    what()
    event.remove(engine_of(store), "checkout", watch)
    return taken
