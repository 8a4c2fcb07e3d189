"""The comparisons in progress: proved by people who keep numbers only, promoted, watched, and taken back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.records.examples import a_prediction
from tests.records.rows import add_labelled
from vibecheck.emotions import NAMES
from vibecheck.errors import ModelError
from vibecheck.evaluation.proof import Proof
from vibecheck.models import promotion
from vibecheck.models.registry import CHALLENGER, CHAMPION, Registry
from vibecheck.records.readings import ShadowReading
from vibecheck.records.store import Store
from vibecheck.records.values import Feedback, Prediction
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)  # after the stand-in became champion
DAY = timedelta(days=1)
SHIPPED = Manifest.read(EMBEDDED).version
OLD, NEW = "hub/vit", "tuned"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data=tmp_path / "data", model="embedded")


@pytest.fixture
def registry(registry) -> Registry:
    """The Hub's model runs, a tuned one is the challenger."""
    for name in (OLD, NEW):
        registry.register(name, "a test", name, {}, NOW)
    registry.begin(OLD, "the first model", NOW)
    registry.challenge(NEW)
    return registry


def said(mood: str) -> tuple[float, ...]:
    return tuple(0.94 if name == mood else 0.01 for name in NAMES)


def audits(store: Store, count: int, at: datetime = NOW, **right: bool) -> None:
    """So many answered audits of visitors who keep numbers only; `right` says which models are right."""
    names = {"old": OLD, "new": NEW, "shipped": SHIPPED}
    made: list[Prediction] = []
    labels: list[Feedback] = []
    readings: list[ShadowReading] = []
    for number in range(count):
        truth = NAMES[number % 7]
        one = a_prediction(visitor=f"{at}{right}{number}", made_at=at, audit=True)
        made.append(one)
        labels.append(Feedback(one.id, 1, truth, "audit", one.visitor, at + timedelta(seconds=number)))
        for who, is_right in right.items():
            answer = truth if is_right else NAMES[(number + 1) % 7]
            readings.append(ShadowReading(one.id, names.get(who, who), said(answer), 4.0))
    add_labelled(store, made, labels)
    store.readings.add(readings)


def trials(registry: Registry, store: Store, by_group: bool = False) -> dict[str, promotion.Trial]:
    return {each.version: each for each in promotion.trials(registry, store.statistics, by_group)}


def settle(registry: Registry, store: Store, promote: bool = False, now: datetime = NOW):
    return promotion.settle(registry, store.statistics, promote, now)


def test_a_comparison_in_progress_has_a_score_and_says_how_many_audits_are_missing(registry, store):
    assert all(not each.seen.n for each in trials(registry, store).values())
    audits(store, 5, old=False, new=True)
    audits(store, 20, old=True, new=True)
    trial = trials(registry, store)[NEW]
    assert (trial.seen.n, trial.seen.won, trial.seen.lost, trial.threshold) == (25, 5, 0, 20)
    assert 1 < trial.seen.evidence < 20 and trial.verdict.needed > 0
    assert trial.moods == trial.slices == ()
    trial = trials(registry, store, by_group=True)[NEW]
    assert sum(each.n for each in trial.moods) == 25 and sum(each.won for each in trial.moods) == 5
    assert {each.name: each.n for each in trial.slices}["Good light"] == 25


def test_proof_is_stored_and_waits_for_a_manual_promotion(registry, store):
    audits(store, 10, old=False, new=True)
    audits(store, 10, old=True, new=True)
    assert settle(registry, store) is None
    proof = registry.get(NEW).proof
    assert proof.proved and proof.against == OLD and (proof.n, proof.challenger) == (20, 20)
    assert registry.champion().version == OLD
    assert registry.promote(NEW, proof.reason, NOW).kind == "promotion"


def test_proof_never_becomes_weaker(registry, store):
    audits(store, 10, old=False, new=True)
    settle(registry, store)
    audits(store, 30, NOW + DAY, old=True, new=False)
    trial = trials(registry, store)[NEW]
    assert trial.seen.lost == 30 and trial.verdict.proved and "Proved better" in trial.verdict.reason


def test_proof_against_an_earlier_champion_does_not_replace_that_against_the_one_that_runs(registry, store):
    audits(store, 10, old=False, new=True, shipped=False)
    stale = trials(registry, store)[NEW]  # on a page that stays open
    registry.promote(SHIPPED, "another copy decided so", NOW, override=True)
    settle(registry, store)
    assert stale.verdict.proved and registry.get(NEW).proof.against == SHIPPED
    promotion.keep_proof(registry, stale, NOW)
    proof = registry.get(NEW).proof
    assert (proof.against, proof.proved) == (SHIPPED, True)


def test_proved_challenger_is_promoted_automatically_if_the_settings_allow_it(registry, store):
    audits(store, 10, old=False, new=True)
    done = settle(registry, store, promote=True)
    assert (done.version, done.replaced, done.kind) == (NEW, OLD, "promotion")
    assert "won 10 and lost 0" in done.why and "VIBECHECK_AUTO_PROMOTE" in done.why
    assert settle(registry, store, promote=True) is None


def test_unproved_or_discarded_challenger_is_not_promoted(registry, store):
    audits(store, 6, old=False, new=True)
    audits(store, 6, NOW + DAY, old=True, new=False)
    assert settle(registry, store, promote=True) is None
    assert not registry.get(NEW).proof.proved, "it has been judged, and has its number"
    audits(store, 40, NOW + 2 * DAY, old=False, new=True)
    registry.discard(NEW, NOW)
    assert settle(registry, store, promote=True) is None and NEW not in trials(registry, store)


def test_guard_rolls_back_a_worse_model_that_was_promoted_without_proof(registry, store):
    audits(store, 10, old=True, new=False)  # known before, so it does not count again
    registry.promote(NEW, "a hunch", NOW + DAY, override=True)
    assert promotion.guard(registry, store.statistics).seen.n == 0
    audits(store, 6, NOW + 2 * DAY, old=True, new=False)
    assert not promotion.guard(registry, store.statistics).verdict.proved
    audits(store, 6, NOW + 3 * DAY, old=True, new=False)
    guard = promotion.guard(registry, store.statistics)
    assert guard.verdict.proved and (guard.version, guard.against) == (OLD, NEW)
    assert settle(registry, store) is None and registry.champion().version == NEW, "the setting is off"
    done = settle(registry, store, promote=True)
    assert (done.version, done.kind) == (OLD, "rollback") and "which was promoted over it" in done.why
    assert promotion.guard(registry, store.statistics) is None
    assert settle(registry, store, promote=True) is None, "it does not go back and forth"


def test_challenger_can_be_proved_while_the_guard_waits_for_confirmation(registry, store):
    registry.promote(NEW, "a hunch", NOW, override=True)
    audits(store, 12, NOW + DAY, old=True, new=False, shipped=True)
    assert promotion.guard(registry, store.statistics).verdict.proved
    assert settle(registry, store) is None
    assert registry.get(SHIPPED).proof.proved and registry.champion().version == NEW


def test_lost_bets_of_a_challenger_count_after_their_labels_are_deleted(registry, store):
    """Else each period of retention would begin the test again, until it succeeds."""
    audits(store, 20, old=True, new=False)
    late = NOW + 60 * DAY
    promotion.settle_bets(registry, store.statistics, 90 * DAY, NOW + 40 * DAY)
    assert trials(registry, store)[NEW].seen.lost == 20
    before = trials(registry, store)[NEW].seen.evidence
    audits(store, 2, NOW + 59 * DAY, old=True, new=False)
    promotion.settle_bets(registry, store.statistics, 90 * DAY, late)
    promotion.settle_bets(registry, store.statistics, 90 * DAY, late)
    store.purge(NOW + 30 * DAY)
    trial = trials(registry, store)[NEW]
    assert trial.seen.lost == 2 and trial.seen.evidence < min(before, 0.2)
    audits(store, 10, late, old=False, new=True)
    assert trials(registry, store)[NEW].seen.won == 10
    assert settle(registry, store, promote=True) is None


def test_guards_bets_are_settled_separately_from_those_before_the_promotion(registry, store):
    audits(store, 10, old=True, new=False)
    registry.promote(NEW, "a hunch", NOW + DAY, override=True)
    audits(store, 6, NOW + 2 * DAY, old=True, new=False)
    seen = promotion.guard(registry, store.statistics).seen.evidence
    promotion.settle_bets(registry, store.statistics, 90 * DAY, NOW + 60 * DAY)
    store.purge(NOW + 30 * DAY)
    guard = promotion.guard(registry, store.statistics)
    assert guard.seen.n == 0 and guard.seen.evidence == pytest.approx(seen)
    audits(store, 1, NOW + 60 * DAY, old=True, new=False)
    assert promotion.guard(registry, store.statistics).seen.evidence > seen


def test_rolled_back_challenger_is_not_promoted_automatically_again(registry, store):
    audits(store, 10, old=False, new=True)
    assert settle(registry, store, promote=True, now=NOW + DAY / 2).version == NEW
    audits(store, 12, NOW + DAY, old=True, new=False)
    assert settle(registry, store, promote=True, now=NOW + 2 * DAY).version == OLD
    registry.challenge(NEW)
    audits(store, 40, NOW + 3 * DAY, old=False, new=True)
    assert settle(registry, store, promote=True, now=NOW + 4 * DAY) is None


@pytest.mark.parametrize("automatic", [True, False])
def test_refuted_proof_allows_no_promotion_until_later_vibe_checks_prove_it_again(registry, store, automatic):
    audits(store, 10, old=False, new=True)
    settle(registry, store, now=NOW + DAY / 2)
    registry.promote(NEW, "proved", NOW + DAY / 2)
    audits(store, 12, NOW + DAY, old=True, new=False)
    settle(registry, store, automatic, NOW + 2 * DAY)
    assert registry.get(NEW).proof.champion == registry.get(NEW).proof.n == 12
    if not automatic:
        registry.rollback(NOW + 2 * DAY)
    with pytest.raises(ModelError, match=f"not proved better than {OLD}. {OLD} is better than {NEW}"):
        registry.promote(NEW, "proved once", NOW + 2 * DAY)
    registry.challenge(NEW)
    settle(registry, store, now=NOW + 2 * DAY)
    trial = trials(registry, store)[NEW]
    assert not trial.verdict.proved and trial.seen.evidence <= 1 and trial.attempt == 2
    audits(store, 40, NOW + 3 * DAY, old=False, new=True)
    settle(registry, store, now=NOW + 4 * DAY)
    assert registry.promote(NEW, "proved again", NOW + 4 * DAY).kind == "promotion"


def test_concurrent_rollbacks_of_two_copies_happen_once(registry, store, monkeypatch):
    registry.promote(NEW, "a hunch", NOW, override=True)
    audits(store, 12, NOW + DAY, old=True, new=False)
    guard = promotion.guard(registry, store.statistics)
    monkeypatch.setattr(promotion, "guard", lambda *_: guard)  # both copies have seen this
    assert settle(registry, store, promote=True).version == OLD
    assert settle(registry, store, promote=True) is None and registry.champion().version == OLD


def test_embedded_model_is_compared_without_using_up_a_challenger_number(registry, store):
    audits(store, 10, old=False, shipped=True, new=False)
    found = trials(registry, store)
    assert found[SHIPPED].verdict.proved and found[SHIPPED].threshold == found[NEW].threshold == 20
    settle(registry, store)
    assert registry.get(SHIPPED).proof.proved and registry.attempt(NEW, OLD) == 1
    registry.register("another", "a test", "another", {}, NOW)
    registry.challenge("another")
    assert trials(registry, store)["another"].threshold == 60, "the one before it was judged"
    assert registry.promote(SHIPPED, "proved", NOW).kind == "promotion"


def test_two_challengers_judged_at_the_same_moment_do_not_share_a_number(registry, store):
    audits(store, 12, old=False, new=True, another=True)
    seen = trials(registry, store)[NEW]
    registry.register("another", "a test", "another", {}, NOW)
    registry.challenge("another")
    settle(registry, store)
    promotion.keep_proof(registry, seen, NOW)
    assert registry.get(NEW).proof is None, "its verdict is that of a first challenger"
    registry.challenge(NEW)
    settle(registry, store)
    assert [registry.get(each).proof.attempt for each in ("another", NEW)] == [1, 2]


def test_refuted_proof_counts_as_a_new_attempt_after_those_of_other_challengers(registry, store):
    audits(store, 12, old=False, new=True, another=True)
    settle(registry, store)
    registry.register("another", "a test", "another", {}, NOW)
    registry.challenge("another")
    settle(registry, store)
    registry.promote(NEW, "proved", NOW + DAY / 2)
    audits(store, 12, NOW + DAY, old=True, new=False)
    settle(registry, store, now=NOW + 2 * DAY)
    assert [registry.attempt(each, OLD) for each in (NEW, "another", "a third")] == [3, 2, 4]


def test_promotion_ahead_of_the_clock_is_watched_from_now_on(registry, store):
    registry.promote(NEW, "by a machine whose clock is ahead", NOW + 30 * DAY, override=True)
    audits(store, 12, NOW + DAY, old=True, new=False)
    settle(registry, store, now=NOW)
    assert promotion.guard(registry, store.statistics).verdict.proved
    assert registry.get(NEW).promotions[0].made_at == NOW


def test_promotion_with_a_corrected_time_is_not_restored_a_second_time(registry, store):
    sent = registry.promote(NEW, "by a machine whose clock is ahead", NOW + 30 * DAY, override=True)
    settle(registry, store, now=NOW)
    corrected = registry.promotions()
    rollback = replace(sent, version=OLD, replaced=NEW, kind="rollback", made_at=NOW + DAY)
    registry.merge([], [sent, rollback, rollback])
    assert registry.promotions() == [rollback, *corrected]


def test_veto_of_the_reference_set_stays(registry, store):
    audits(store, 10, old=False, new=True)
    veto = "It loses 2.0% of the reference set of 100 pictures; 1.0% is allowed."
    registry.prove(NEW, Proof(False, veto, None, OLD, 1, 0, 1, 1.0, NOW, veto=veto))
    assert settle(registry, store, promote=True) is None
    assert trials(registry, store)[NEW].verdict.reason == veto
    assert registry.aliases()[CHAMPION] == OLD and registry.aliases()[CHALLENGER] == NEW


def test_challengers_report_stays_known_so_that_deletions_reach_it(registry, store):
    registry.prove(NEW, Proof(False, "not yet", 9, OLD, 1, 0, 1, 1.0, NOW, report="/somewhere/report.html"))
    audits(store, 10, old=False, new=True)
    settle(registry, store)
    assert registry.get(NEW).proof.proved and registry.get(NEW).proof.report == "/somewhere/report.html"
