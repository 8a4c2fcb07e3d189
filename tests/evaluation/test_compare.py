from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibecheck.evaluation.compare import compare, dealt_at_random, judge, more_labels


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


def test_only_pictures_on_which_they_differ_decide():
    seen = counts(won=12, lost=3)
    assert (seen.won, seen.lost, seen.champion, seen.challenger) == (12, 3, 43, 52)
    assert seen.p == pytest.approx(sum(comb(15, k) for k in range(12, 16)) / 2**15)
    assert seen.p == counts(won=12, lost=3, both=400).p


def test_ten_wins_to_three_prove_and_nine_to_four_do_not():
    assert judge(counts(10, 3)).proved
    verdict = judge(counts(9, 4))
    assert not verdict.proved and verdict.needed > 0
    assert f"about {verdict.needed} more audits needed" in verdict.reason


def test_who_is_not_ahead_is_not_told_to_wait():
    for won, lost in ((5, 5), (3, 9), (0, 0)):
        verdict = judge(counts(won, lost))
        assert not verdict.proved and verdict.needed is None
        assert "not ahead" in verdict.reason


def test_without_labels_nothing_is_proved():
    nothing = compare(np.array([], int), np.array([], int), np.array([], int))
    assert not judge(nothing).proved
    assert not judge(nothing, reference=counts(50, 0)).proved


def test_more_than_one_point_lost_on_the_reference_forbids_it():
    better = counts(40, 5)
    just = counts(won=0, lost=1, both=79, neither=20)
    too_much = counts(won=0, lost=2, both=78, neither=20)
    assert judge(better, just).proved
    verdict = judge(better, too_much)
    assert not verdict.proved and "loses 2.0% of the reference set" in verdict.reason


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300))
def test_the_fewer_it_loses_the_smaller_is_p(won, lost, both):
    more, less = counts(won, lost + 1, both), counts(won, lost, both)
    assert less.p <= more.p + 1e-12
    assert 0 <= less.p <= 1


def test_an_equal_challenger_is_promoted_in_at_most_5_percent_of_runs():
    rng = np.random.default_rng(0)
    promoted = np.mean([judge(compare(*models(rng, 200, 0.6, 0.6))).proved for _ in range(2000)])
    assert promoted <= 0.05


def test_labels_that_were_dealt_out_at_random_prove_nothing_however_lucky_one_is():
    rng = np.random.default_rng(3)
    lucky = proved = 0
    for _ in range(3000):
        truth, champion, challenger = rng.integers(0, 7, (3, 120))
        seen = compare(champion, challenger, truth)
        lucky += seen.p <= 0.05
        proved += judge(seen).proved
    assert lucky > 30 and proved <= 6


def test_who_always_says_the_same_proves_nothing():
    truth = np.array([0, 1, 2, 3] * 5 + [3] * 30)
    verdict = judge(compare((truth + 1) % 7, np.full(50, 3), truth))
    assert not verdict.proved and "hardly more than chance" in verdict.reason
    assert not judge(compare(np.ones(20, int), np.zeros(20, int), np.zeros(20, int))).proved


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_the_chance_is_that_of_labels_dealt_out_anew(n, seed):
    rng = np.random.default_rng(seed)
    truth, answers = rng.integers(0, 3, (2, n))
    dealt = [(answers == rng.permutation(truth)).sum() for _ in range(300)]
    share = np.mean(np.array(dealt) >= (answers == truth).sum())
    assert abs(dealt_at_random(answers, truth) - share) < 0.2 or len(set(dealt)) <= 3


def test_so_many_labels_more_prove_a_true_difference_in_about_80_percent_of_runs():
    rng = np.random.default_rng(1)
    seen = counts(won=28, lost=20, both=100, neither=52)
    total = seen.n + more_labels(seen)
    p = [seen.won / seen.n, seen.lost / seen.n]
    runs = rng.multinomial(total, [*p, 1 - sum(p)], size=500)
    proved = np.mean([judge(counts(won, lost, rest, 0)).proved for won, lost, rest in runs])
    assert 0.72 < proved < 0.88
