import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.records.examples import NOON
from vibecheck.evaluation import evidence
from vibecheck.evaluation.compare import chance_if_shuffled, compare, judge, more_labels


def models(rng, n, first, second, seven=7):
    """Answers of two models of known accuracy on the same pictures, right or wrong for themselves."""
    truth = rng.integers(0, seven, n)
    answers = []
    for accuracy in (first, second):
        wrong = (truth + rng.integers(1, seven, n)) % seven
        answers.append(np.where(rng.random(n) < accuracy, truth, wrong))
    return *answers, truth


def counts(won, lost, both=40, neither=20):
    n = won + lost + both + neither
    truth = np.arange(n) % 7
    champion = np.repeat([1, 0, 0, 1], [won, lost, both, neither])
    challenger = np.repeat([0, 1, 0, 1], [won, lost, both, neither])
    return compare((truth + champion) % 7, (truth + challenger) % 7, truth)


def test_only_pictures_with_different_answers_decide():
    seen = counts(won=12, lost=3)
    assert (seen.won, seen.lost, seen.champion, seen.challenger) == (12, 3, 43, 52)
    assert seen.evidence == counts(won=12, lost=3, both=400).evidence


def test_verdict_follows_the_evidence_and_says_how_many_audits_are_missing():
    verdict = judge(counts(8, 0))
    assert verdict.proved and "(evidence 27.8 of 20)" in verdict.reason
    verdict = judge(counts(7, 0))
    assert not verdict.proved and verdict.needed > 0
    assert f"about {verdict.needed} more audits needed" in verdict.reason


def test_later_challenger_of_the_same_champion_needs_more_evidence():
    assert judge(counts(8, 0), attempt=1).proved and not judge(counts(8, 0), attempt=2).proved
    assert judge(counts(10, 0), attempt=2).proved and "of 60)" in judge(counts(10, 0), attempt=2).reason


def test_challenger_that_is_not_ahead_is_not_told_to_wait():
    for won, lost in ((5, 5), (3, 9), (0, 0)):
        verdict = judge(counts(won, lost))
        assert not verdict.proved and verdict.needed is None
        assert "not ahead" in verdict.reason


def test_comparison_without_labels_proves_nothing():
    nothing = compare(np.array([], int), np.array([], int), np.array([], int))
    assert not judge(nothing).proved
    assert not judge(nothing, reference=counts(50, 0)).proved


def test_losing_over_one_point_on_the_reference_set_prevents_the_proof():
    better = counts(40, 5)
    just = counts(won=0, lost=1, both=79, neither=20)
    too_much = counts(won=0, lost=2, both=78, neither=20)
    assert judge(better, just).proved
    verdict = judge(better, too_much)
    assert not verdict.proved and "loses 2.0% of the reference set" in verdict.reason


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 100))
def test_interval_contains_the_difference_and_excludes_0_only_with_evidence(won, lost, both):
    seen = counts(won, lost, both)
    assert -1 <= seen.low <= (won - lost) / seen.n <= seen.high <= 1
    assert (seen.low > 0) == (evidence.of_counts(won, lost) >= 20)


@pytest.mark.slow
def test_random_labels_prove_nothing_however_lucky_one_model_is():
    rng = np.random.default_rng(3)
    lucky = proved = 0
    for _ in range(1500):
        truth, champion, challenger = rng.integers(0, 7, (3, 120))
        seen = compare(champion, challenger, truth)
        lucky += seen.evidence >= 20
        proved += judge(seen).proved
    assert lucky > 10 and proved <= 6


def test_constant_answers_prove_nothing():
    truth = np.array([0, 1, 2, 3] * 5 + [3] * 30)
    verdict = judge(compare((truth + 1) % 7, np.full(50, 3), truth))
    assert not verdict.proved and "hardly more than chance" in verdict.reason
    assert not judge(compare(np.ones(20, int), np.zeros(20, int), np.zeros(20, int))).proved


@given(st.integers(20, 40), st.integers(0, 2**32 - 1))
def test_chance_matches_a_permutation_test(n, seed):
    rng = np.random.default_rng(seed)
    truth, answers = rng.integers(0, 3, (2, n))
    shuffled = rng.permuted(np.tile(truth, (1000, 1)), axis=1)
    share = ((answers == shuffled).sum(axis=1) >= (answers == truth).sum()).mean()
    assert chance_if_shuffled(answers, truth) == pytest.approx(share, abs=0.08)


def test_missing_labels_are_counted_in_visitors_if_a_few_gave_most():
    """Four visitors on whom the challenger always wins: more of them are needed, not more of theirs."""

    def seen(visitors: int):
        truth = np.arange(10 * visitors) % 7
        return compare((truth + 1) % 7, truth, truth, np.repeat(np.arange(visitors), 10).tolist())

    needed = judge(seen(4)).needed
    assert needed % 10 == 0 and judge(seen(4 + needed // 10)).proved
    assert not judge(seen(4 + needed // 10 - 1)).proved


def test_evidence_lost_in_settled_bets_must_be_regained():
    truth = np.arange(8) % 7
    lost = evidence.settle([-1] * 20, range(20), NOON)
    every = compare((truth + 1) % 7, truth, truth, settled=lost)
    assert not judge(every).proved and judge(every).needed > more_labels(counts(1, 0, 0, 0))
    some = compare((truth + 1) % 7, truth, truth, settled=lost, open_bets=np.arange(8) < 2)
    assert some.won == 8 and some.evidence < every.evidence


@pytest.mark.slow
def test_estimated_missing_labels_prove_a_true_difference_in_80_percent_of_runs():
    rng = np.random.default_rng(1)
    seen = counts(won=28, lost=20, both=100, neither=52)
    more, share = more_labels(seen), seen.won / (seen.won + seen.lost)
    proved = 0
    for _ in range(300):
        new = rng.random(round(more * 48 / seen.n)) < share
        signs = [1] * 28 + [-1] * 20
        proved += evidence.highest(signs[::-1] + np.where(new, 1, -1).tolist(), range(48 + len(new))) >= 20
    assert 0.75 < proved / 300 < 0.92
    assert more_labels(counts(5, 5)) is None and more_labels(counts(5001, 5000)) is None
