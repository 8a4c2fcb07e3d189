from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from tests.records.examples import a_prediction
from tests.records.rows import pending
from vibecheck.errors import ModelError
from vibecheck.evaluation.proof import Proof
from vibecheck.models.registry import Registry
from vibecheck.records.db.transactions import reading
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHIPPED = Manifest.read(EMBEDDED).version
IDS = [f"{number:032x}" for number in range(3)]


@pytest.fixture
def registry(engine) -> Registry:
    registry = Registry(engine)
    for number, version in enumerate(("a", "b", "c")):
        registry.register(version, f"from {version}", version, {"n": number}, NOW + timedelta(number))
    return registry


def proof(**changes) -> Proof:
    plain = {"proved": True, "reason": "Proved better.", "needed": 0, "against": "a", "n": 90}
    return Proof(**plain | {"champion": 40, "challenger": 60, "evidence": 90.0, "judged_at": NOW} | changes)


def test_registered_version_keeps_its_metrics_source_and_training_ids(registry):
    registry.register("d", "tuned", "/models/d", {"accuracy": 0.8}, NOW + timedelta(9), IDS)
    first, *_, last = registry.versions()
    assert (first.version, first.origin, first.registered_at) == ("a", "from a", NOW)
    assert last == registry.get("d")
    assert (last.metrics, last.source, last.trained_on) == ({"accuracy": 0.8}, "/models/d", 3)
    assert list(registry.record("d").trained_on) == IDS


def test_registering_again_adds_to_what_is_known(registry):
    registry.register("a", "from a", "a", {"accuracy": 0.5}, NOW + timedelta(9), IDS[:2])
    registry.register("a", "from a", "a", {"n": 7}, NOW + timedelta(9), IDS[1:])
    found = registry.get("a")
    assert found.metrics == {"n": 7, "accuracy": 0.5} and found.registered_at == NOW
    assert list(registry.record("a").trained_on) == IDS
    assert all("a" in registry.learned_from(each) for each in IDS)
    assert registry.learned_from("f" * 32) == []


@pytest.fixture
def opened(settings) -> Iterator[Registry]:
    registry = Registry.open(settings)
    yield registry
    registry.close()


def test_embedded_model_is_the_champion_of_a_new_registry(opened, settings):
    assert opened.aliases() == {"champion": SHIPPED} and opened.champion().source == "embedded"
    assert [each.kind for each in opened.promotions()] == ["first"] and opened.champion_is_provisional()
    Registry.open(settings).close()
    assert len(opened.promotions()) == 1


def test_embedded_model_becomes_champion_even_if_it_was_registered_before(settings, engine):
    Registry(engine).register(SHIPPED, "ships", "embedded", {}, NOW)
    with closing(Registry.open(settings)) as registry:
        assert registry.champion().version == SHIPPED


def test_first_promotion_needs_a_reason_and_can_be_rolled_back(opened):
    opened.register("b", "from b", "b", {}, NOW)
    with pytest.raises(ModelError, match=f"never judged against {SHIPPED}.*--override"):
        opened.promote("b", "no app ever ran", NOW)
    assert opened.promote("b", "fits our camera", NOW, override=True).kind == "override"
    assert opened.rollback(NOW).version == SHIPPED


def test_configured_model_replaces_the_initial_one_until_somebody_decides(opened):
    for version in ("b", "c"):
        opened.register(version, "from the Hub", "owner/name", {}, NOW)
    assert opened.begin("b", "named by a setting", NOW) and not opened.champion_is_provisional()
    assert opened.aliases() == {"champion": "b", "previous": SHIPPED}
    assert not opened.begin("c", "named by a setting", NOW)
    opened.rollback(NOW)
    assert not opened.champion_is_provisional() and not opened.begin("c", "named by a setting", NOW)


@pytest.mark.parametrize(("decided", "kind"), [(False, "first"), (True, "override")])
def test_after_an_update_the_new_embedded_model_replaces_the_old_one_once(settings, engine, decided, kind):
    raw = Registry(engine)
    raw.register("embedded-0", "ships with VibeCheck", "embedded", {}, NOW)
    raw.begin("embedded-0", "it shipped", NOW)
    if decided:
        raw.register("b", "from b", "b", {}, NOW)
        raw.promote("b", "a test", NOW, override=True)
        raw.rollback(NOW)
    with closing(Registry.open(settings)) as registry:
        # The old one is no longer there to be rolled back to.
        assert registry.aliases() == {"champion": SHIPPED} | ({"previous": "b"} if decided else {})
        assert registry.get("embedded-0").discarded_at and registry.get(SHIPPED).discarded_at is None
        newest = next(each for each in registry.promotions() if each.version == SHIPPED)
        assert newest.kind == kind and newest.why.endswith("in place of embedded-0.")
        registry.promote("embedded-0", "a copy of the old release does so", NOW, override=True)
    with closing(Registry.open(settings)) as registry:
        assert registry.champion().version == "embedded-0"


def test_after_an_update_another_champion_can_be_rolled_back_to_the_new_embedded_model(settings, engine):
    raw = Registry(engine)
    raw.register("embedded-0", "ships with VibeCheck", "embedded", {}, NOW)
    raw.begin("embedded-0", "it shipped", NOW)
    raw.register("b", "from b", "b", {}, NOW)
    raw.promote("b", "a test", NOW, override=True)
    with closing(Registry.open(settings)) as registry:
        assert registry.aliases() == {"champion": "b", "previous": SHIPPED}
        assert registry.rollback(NOW).version == SHIPPED


def test_an_update_does_not_touch_another_champion(settings, engine):
    raw = Registry(engine)
    raw.register("b", "from b", "b", {}, NOW)
    raw.begin("b", "an app before this rule", NOW)
    with closing(Registry.open(settings)) as registry:
        assert registry.champion().version == "b" and registry.get(SHIPPED).source == "embedded"


def test_promotion_moves_the_aliases_and_records_its_reason(registry):
    registry.promote("a", "the first", NOW)
    registry.challenge("b")
    assert registry.aliases() == {"champion": "a", "challenger": "b"}
    registry.prove("b", proof(against="a"))
    done = registry.promote("b", " better \n", NOW + timedelta(1))
    assert registry.aliases() == {"champion": "b", "previous": "a"}
    assert registry.champion().version == "b"
    assert (done.version, done.replaced, done.kind, done.why) == ("b", "a", "promotion", "better")
    assert [each.version for each in registry.promotions()] == ["b", "a"]
    assert registry.promotions()[0] == done


def test_rollback_returns_to_the_previous_champion_and_can_be_repeated(registry):
    registry.promote("a", "first", NOW)
    registry.promote("b", "better", NOW, override=True)
    assert registry.rollback(NOW).version == "a"
    assert registry.aliases() == {"champion": "a", "previous": "b"}
    assert registry.promotions()[0].kind == "rollback"
    assert registry.promotions()[0].why == "back from b"
    assert registry.rollback(NOW, "was fine").version == "b"
    assert registry.promotions()[0].why == "was fine"


def test_refused_promotion_or_rollback_changes_nothing(registry):
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


def test_version_is_promoted_only_if_proved_better_than_the_current_champion(registry):
    registry.promote("a", "first", NOW)
    with pytest.raises(ModelError, match=r"never judged against a.*finetune judge b.*--override"):
        registry.promote("b", "it is better", NOW)
    registry.prove("b", proof(proved=False, reason="Not proved: about 40 more audits needed.", needed=40))
    with pytest.raises(ModelError, match=r"about 40 more audits needed.*--override \"REASON\""):
        registry.promote("b", "it is better", NOW)
    registry.prove("b", proof(against="c"))
    with pytest.raises(ModelError, match="proved better than c, but a runs now"):
        registry.promote("b", "it is better", NOW)
    assert registry.champion().version == "a" and len(registry.promotions()) == 1
    registry.prove("b", proof())
    assert registry.get("b").proof == proof()
    assert registry.promote("b", "it is better", NOW).kind == "promotion"


def test_override_is_recorded_with_its_reason_and_only_if_it_was_needed(registry):
    registry.promote("a", "first", NOW, override=True)
    registry.promote("b", "the old one fails in the dark", NOW, override=True)
    registry.prove("c", proof(against="b"))
    registry.promote("c", "better", NOW, override=True)
    kinds = [(each.version, each.kind, each.why) for each in registry.promotions()]
    assert kinds == [
        ("c", "promotion", "better"),
        ("b", "override", "the old one fails in the dark"),
        ("a", "promotion", "first"),
    ]
    with pytest.raises(ModelError, match="reason"):
        registry.promote("a", " ", NOW, override=True)


def test_malformed_proof_proves_nothing(registry):
    registry.promote("a", "first", NOW)
    for wrong in ({"proved": True}, "proved", {**proof().plain(), "n": "many"}):
        registry.register("b", "from b", "b", {"proof": wrong}, NOW)
        assert registry.get("b").proof is None
        with pytest.raises(ModelError, match="never judged"):
            registry.promote("b", "better", NOW)


def test_each_challenger_of_a_champion_keeps_its_attempt_number(registry):
    assert registry.attempt("b", "a") == 1
    registry.prove("b", proof(against="a"))
    assert [registry.attempt(each, "a") for each in ("b", "c", "a folder")] == [1, 2, 2]
    registry.prove("c", proof(against="a", attempt=2))
    registry.discard("c", NOW)
    assert [registry.attempt(each, "a") for each in ("b", "c", "d")] == [1, 2, 3]
    assert registry.attempt("b", "another champion") == 1
    registry.prove("b", proof(against="another champion"))
    assert [registry.attempt(each, "a") for each in ("b", "d")] == [1, 3], "nothing is forgotten"


def test_concurrent_judges_get_different_attempt_numbers(registry):
    together = Barrier(2)

    def judge(version):
        together.wait()
        return registry.attempt(version, "a", take=True)

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(judge, "bc")) == [1, 2]
    assert sorted(registry.attempt(each, "a") for each in "bc") == [1, 2]
    assert registry.attempt("a folder", "a", take=True) == 3 == registry.attempt("another", "a")
    assert registry.attempt("b", "a", take=True, again=True) == 3, "that number was nobody's"


def test_malformed_dates_and_attempts_in_metrics_are_ignored(registry):
    registry.register("b", "from b", "b", {"discarded_at": "yesterday", "attempts": [1]}, NOW)
    assert registry.get("b").discarded_at is None and registry.attempt("b", "a") == 1


def test_discarded_challenger_can_be_named_again(registry):
    registry.promote("a", "first", NOW)
    registry.challenge("b")
    registry.discard("b", NOW)
    assert registry.aliases() == {"champion": "a"}
    assert registry.get("b").discarded_at == NOW and registry.get("c").discarded_at is None
    registry.challenge("b")
    assert registry.get("b").discarded_at is None
    registry.discard("b", NOW)
    registry.promote("b", "after all", NOW, override=True)
    assert registry.get("b").discarded_at is None
    for version in ("a", "b"):
        with pytest.raises(ModelError, match="promote another one first"):
            registry.discard(version, NOW)
    with pytest.raises(ModelError, match="not registered"):
        registry.discard("unknown", NOW)


def test_each_version_has_its_aliases_and_promotions(registry):
    registry.begin("a", "the first", NOW)
    registry.promote("b", "better", NOW, override=True)
    registry.rollback(NOW)
    oldest, middle, newest = registry.versions()
    assert [each.version for each in (oldest, middle, newest)] == ["a", "b", "c"]
    assert (middle.aliases, oldest.aliases, newest.aliases) == (("previous",), ("champion",), ())
    assert [each.kind for each in oldest.promotions] == ["rollback", "first"]
    assert newest.promotions == ()


def test_version_counts_how_many_of_its_training_pictures_were_deleted(engine, store, registry):
    one, two, other = (a_prediction() for _ in range(3))
    for each in (one, two, other):
        store.add(each, None)
    registry.register("d", "tuned", "/models/d", {}, NOW, [one.id, two.id, "f" * 32])
    registry.register("e", "tuned", "/models/e", {}, NOW, [other.id])
    began = datetime.now(UTC)
    store.forget([one.id], began)
    assert (registry.get("d").trained_on, registry.get("d").deleted) == (3, 1)
    assert store.marked_since(began) == {"d": 1}
    store.purge(datetime.now(UTC))
    found = {each.version: (each.trained_on, each.deleted) for each in registry.versions()}
    assert (found["d"], found["e"], found["a"]) == ((3, 2), (1, 1), (0, 0))
    assert store.marked_since(began) == {"d": 2, "e": 1}
    assert one.id in list(registry.record("d").trained_on)


def test_picture_deleted_before_its_model_is_registered_is_counted_too(store, registry):
    prediction = a_prediction()
    store.add(prediction, None)
    store.forget([prediction.id], NOW)
    registry.register("d", "tuned", "/models/d", {}, NOW, [prediction.id])
    assert registry.get("d").deleted == 1


def test_training_id_without_a_prediction_counts_as_deleted_if_all_were_recorded(store, registry):
    kept, gone = a_prediction(), a_prediction()
    for each in (kept, gone):
        store.add(each, None)
    store.purge(gone.made_at + timedelta(seconds=1))  # it was never sent, so no deletion is queued
    store.add(kept, None)
    ids = [kept.id, gone.id]
    registry.register("files", "tuned", "/models/d", {}, NOW, ids)
    assert registry.get("files").deleted == 0, "pictures of files never had one"
    registry.register("d", "tuned", "/models/d", {}, NOW, ids, all_recorded=True)
    assert (registry.get("d").trained_on, registry.get("d").deleted) == (2, 1)


def test_a_model_has_learned_what_its_base_learned(store, registry):
    gone, later, own = (a_prediction() for _ in range(3))
    for each in (gone, later, own):
        store.add(each, None)
    of_file = "f" * 32
    registry.register("d", "tuned", "/models/d", {}, NOW, [gone.id, later.id, of_file])
    store.forget([gone.id], NOW)
    registry.register("e", "tuned", "/models/e", {}, NOW, [own.id], all_recorded=True, base="d")
    registry.register("f", "tuned", "/models/f", {}, NOW, [own.id], base="e")
    assert {(registry.get(each).trained_on, registry.get(each).deleted) for each in "ef"} == {(4, 1)}
    began = datetime.now(UTC)
    store.forget([later.id], began)
    assert store.marked_since(began) == {"d": 1, "e": 1, "f": 1}
    registry.register("e", "tuned", "/models/e", {}, NOW, [own.id], all_recorded=True, base="d")
    assert (registry.get("e").trained_on, registry.get("e").deleted) == (4, 2), (
        "once more, as --register does"
    )


def test_changes_of_a_version_are_queued_for_comet_once(registry, engine):
    registry.challenge("b")
    registry.prove("b", proof())
    registry.discard("b", NOW)
    with reading(engine) as connection:
        rows = [row for row in pending(connection, 10) if row.kind == "model"]
    assert [row.payload for row in rows] == [{"version": each} for each in "abc"]


def test_each_promotion_is_queued_for_comet_in_its_transaction(registry, engine):
    registry.promote("a", "first", NOW)
    registry.promote("b", "better", NOW, override=True)
    registry.rollback(NOW)
    with reading(engine) as connection:
        rows = [row for row in pending(connection, 10) if row.kind == "promotion"]
    assert [row.payload["version"] for row in rows] == ["a", "b", "a"]
    assert rows[1].payload == {
        "version": "b",
        "replaced": "a",
        "kind": "override",
        "why": "better",
        "made_at": NOW.isoformat(),
    }


def test_failed_promotion_is_rolled_back(registry, engine, monkeypatch):
    registry.promote("a", "first", NOW)

    def fails(connection, value):
        raise RuntimeError

    monkeypatch.setattr("vibecheck.models.registry_rows.messages.enqueue", fails)
    with pytest.raises(RuntimeError):
        registry.promote("b", "better", NOW, override=True)
    assert registry.aliases() == {"champion": "a"} and len(registry.promotions()) == 1


def test_concurrent_starts_name_one_first_champion(registry):
    together = Barrier(4)

    def begin(number):
        together.wait()
        return registry.begin("abc"[number % 3], "first", NOW)

    with ThreadPoolExecutor(4) as threads:
        began = list(threads.map(begin, range(4)))
    assert sum(began) == 1 and len(registry.promotions()) == 1
    assert registry.begin("b", "late", NOW) is False


def test_concurrent_promotions_leave_one_sequence_of_events(registry):
    registry.promote("a", "first", NOW)
    together = Barrier(2)

    def promote(version):
        together.wait()
        return registry.promote(version, "better", NOW, override=True)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(promote, "bc"))
    newest, before, _ = registry.promotions()
    assert registry.aliases() == {"champion": newest.version, "previous": before.version}
    assert newest.replaced == before.version


@pytest.mark.parametrize("written", ["yesterday", 7, None, ["2026-01-01"], "2026-01-01"])
def test_metrics_of_the_wrong_type_are_ignored(registry, written):
    registry.register("odd", "elsewhere", "folder", {"discarded_at": written, "proof": "yes"}, NOW)
    odd = registry.get("odd")
    assert odd.proof is None
    assert odd.discarded_at == (datetime(2026, 1, 1, tzinfo=UTC) if written == "2026-01-01" else None)
