from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from vibecheck.errors import ModelError
from vibecheck.records.outbox import pending
from vibecheck.records.transactions import reading
from vibecheck.registry import Registry

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
IDS = [f"{number:032x}" for number in range(3)]


@pytest.fixture
def registry(engine) -> Registry:
    registry = Registry(engine)
    for number, version in enumerate(("a", "b", "c")):
        registry.register(version, f"from {version}", version, {"n": number}, NOW + timedelta(number))
    return registry


def test_a_version_is_kept_with_all_that_is_known_of_it(registry):
    registry.register("d", "tuned", "/models/d", {"accuracy": 0.8}, NOW + timedelta(9), IDS)
    first, *_, last = registry.versions()
    assert (first.version, first.origin, first.registered_at) == ("a", "from a", NOW)
    assert last == registry.get("d")
    assert (last.metrics, last.source, last.trained_on) == ({"accuracy": 0.8}, "/models/d", 3)
    assert registry.trained_on("d") == IDS


def test_registering_again_adds_to_what_is_known(registry):
    registry.register("a", "from a", "a", {"accuracy": 0.5}, NOW + timedelta(9), IDS[:2])
    registry.register("a", "from a", "a", {"n": 7}, NOW + timedelta(9), IDS[1:])
    found = registry.get("a")
    assert found.metrics == {"n": 7, "accuracy": 0.5} and found.registered_at == NOW
    assert registry.trained_on("a") == IDS
    assert all("a" in registry.learned_from(each) for each in IDS)
    assert registry.learned_from("f" * 32) == []


def test_a_new_installation_has_no_champion(engine):
    registry = Registry(engine)
    assert registry.champion() is None and registry.aliases() == {} and registry.promotions() == []


def test_a_promotion_moves_the_aliases_and_says_why(registry):
    registry.promote("a", "the first", NOW)
    registry.challenge("b")
    assert registry.aliases() == {"champion": "a", "challenger": "b"}
    done = registry.promote("b", " better \n", NOW + timedelta(1))
    assert registry.aliases() == {"champion": "b", "previous": "a"}
    assert registry.champion().version == "b"
    assert (done.version, done.replaced, done.kind, done.why) == ("b", "a", "promotion", "better")
    assert [each.version for each in registry.promotions()] == ["b", "a"]
    assert registry.promotions()[0] == done


def test_rolling_back_goes_to_the_one_before_and_again_back(registry):
    registry.promote("a", "first", NOW)
    registry.promote("b", "better", NOW)
    assert registry.rollback(NOW).version == "a"
    assert registry.aliases() == {"champion": "a", "previous": "b"}
    assert registry.promotions()[0].kind == "rollback"
    assert registry.promotions()[0].why == "back from b"
    assert registry.rollback(NOW, "was fine").version == "b"
    assert registry.promotions()[0].why == "was fine"


def test_what_cannot_be_promoted_changes_nothing(registry):
    with pytest.raises(ModelError, match="no champion before"):
        registry.rollback(NOW)
    registry.promote("a", "first", NOW)
    with pytest.raises(ModelError, match="models list"):
        registry.promote("unknown", "why not", NOW)
    with pytest.raises(ModelError, match="champion already"):
        registry.promote("a", "again", NOW)
    with pytest.raises(ModelError, match="reason"):
        registry.promote("b", " ", NOW)
    with pytest.raises(ModelError, match="champion already"):
        registry.challenge("a")
    with pytest.raises(ModelError, match="not registered"):
        registry.challenge("unknown")
    with pytest.raises(ModelError, match="no champion before"):
        registry.rollback(NOW)
    assert registry.aliases() == {"champion": "a"} and len(registry.promotions()) == 1


def test_each_promotion_is_queued_for_comet_in_its_transaction(registry, engine):
    registry.promote("a", "first", NOW)
    registry.promote("b", "better", NOW)
    registry.rollback(NOW)
    with reading(engine) as connection:
        rows = pending(connection, 10)
    assert {row.kind for row in rows} == {"promotion"}
    assert [row.payload["version"] for row in rows] == ["a", "b", "a"]
    assert rows[1].payload == {
        "version": "b",
        "replaced": "a",
        "kind": "promotion",
        "why": "better",
        "made_at": NOW.isoformat(),
    }


def test_a_promotion_that_fails_half_way_never_happened(registry, engine, monkeypatch):
    from vibecheck import registry as module

    registry.promote("a", "first", NOW)

    def fails(connection, value):
        raise RuntimeError

    monkeypatch.setattr(module.outbox, "enqueue", fails)
    with pytest.raises(RuntimeError):
        registry.promote("b", "better", NOW)
    assert registry.aliases() == {"champion": "a"} and len(registry.promotions()) == 1


def test_of_several_apps_that_start_together_one_names_the_first_champion(registry):
    together = Barrier(4)

    def begin(number):
        together.wait()
        return registry.begin("abc"[number % 3], "first", NOW)

    with ThreadPoolExecutor(4) as threads:
        began = list(threads.map(begin, range(4)))
    assert sum(began) == 1 and len(registry.promotions()) == 1
    assert registry.begin("b", "late", NOW) is False


def test_promotions_at_once_leave_one_order_of_events(registry):
    registry.promote("a", "first", NOW)
    together = Barrier(2)

    def promote(version):
        together.wait()
        return registry.promote(version, "better", NOW)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(promote, "bc"))
    newest, before, _ = registry.promotions()
    assert registry.aliases() == {"champion": newest.version, "previous": before.version}
    assert newest.replaced == before.version
