"""The sequential test is valid however often one looks, even if a visitor's pictures are alike."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import proof
from tests.records.examples import NOON
from vibecheck.evaluation import evidence

SIGNS = st.lists(st.sampled_from([1, -1]), min_size=1, max_size=60)


@given(SIGNS)
def test_evidence_with_one_picture_per_visitor_matches_the_closed_form(signs):
    *_, last = evidence.over_time(signs, range(len(signs)))
    assert last == pytest.approx(evidence.of_counts(signs.count(1), signs.count(-1)), rel=1e-6)


@given(SIGNS, SIGNS)
def test_highest_evidence_never_decreases(before, after):
    seen = evidence.highest(before, range(len(before)))
    assert evidence.highest(before + after, range(len(before + after))) >= seen


def test_visitor_counts_as_one_bet_however_many_pictures_they_have():
    assert evidence.highest([1] * 50, ["me"] * 50) == pytest.approx(evidence.of_counts(1, 0))
    assert evidence.highest([1, -1] * 50, ["me"] * 100) == pytest.approx(evidence.of_counts(1, 0))


@given(SIGNS, SIGNS)
def test_settled_bets_count_as_if_their_labels_were_still_there(before, after):
    whose = [number // 2 for number in range(len(before))]
    kept = evidence.settle([], [], NOON, evidence.settle(before, whose, NOON))
    *_, going_on = evidence.over_time(after, range(-len(after), 0), kept)
    *_, whole = evidence.over_time(before + after, [*whose, *range(-len(after), 0)])
    assert going_on == pytest.approx(whole, rel=1e-9)
    *_, last = evidence.over_time(before, whose)
    assert evidence.highest([], [], kept) == pytest.approx(min(last, evidence.LARGEST))


def test_deleting_old_labels_does_not_restart_the_test():
    found = proof.over_years(runs=80)
    assert found["any proved"] <= 0.05 < 0.1 < found["any proved, if deleted labels were forgotten"]


def test_settled_bets_survive_json_and_malformed_ones_are_none():
    kept = evidence.settle([1, -1, 1], "aab", NOON)
    name = evidence.settled_name("champion", NOON)
    read = json.loads(json.dumps({name: kept.plain()}))
    assert evidence.settled_of(read, "champion", NOON) == kept
    assert evidence.settled_of(read, "champion") is None
    for wrong in ({"logs": [0.0] * 3}, {"logs": [float("nan")] * 48}, {"until": "yesterday"}):
        assert evidence.settled_of({name: kept.plain() | wrong}, "champion", NOON) is None


def test_long_histories_neither_overflow_nor_underflow():
    assert evidence.highest([1] * 5000, range(5000)) == evidence.LARGEST
    assert 0 <= evidence.highest([-1] * 5000, range(5000)) < 1
    assert evidence.of_counts(0, 5000) < 1e-9 and evidence.of_counts(5000, 0) == pytest.approx(
        evidence.LARGEST
    )


def test_evidence_without_deciding_pictures_is_neutral():
    assert evidence.highest([], []) == 1.0
    assert evidence.interval([], []) == (-1.0, 1.0)


def test_false_promotions_of_all_challengers_together_stay_below_10_percent():
    needed = [evidence.threshold(attempt) for attempt in range(1, 2000)]
    assert needed[:3] == [20, 60, 120]
    assert 0.0999 < sum(1 / each for each in needed) < 0.1


@pytest.mark.parametrize("difference", [0.0, -0.02])
def test_checking_after_every_label_keeps_false_proofs_below_5_percent(difference):
    rng = np.random.default_rng(0)
    proved = alike = 0
    for _ in range(400):
        signs = proof._signs(*proof._answers(rng, proof.CHAMPION + difference, 300))
        decided = signs[signs != 0].tolist()
        proved += evidence.highest(decided, range(len(decided))) >= 20
        alike += proof._clustered(rng, difference, 300)
    assert proved / 400 <= 0.05 and alike / 400 <= 0.05


def test_the_interval_covers_the_mean_sign_at_all_times():
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(60):
        signs = np.where(rng.random(80) < 0.6, 1, -1).tolist()  # a mean of 0.2
        low, high = evidence.interval(signs, range(80))
        missed += not low <= 0.2 <= high
    assert missed <= 9  # each of two bounds in 5%
