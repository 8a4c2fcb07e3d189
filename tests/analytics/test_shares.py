import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analytics.tallies import independent, tally
from vibecheck.analytics.shares import change, fisher, holm, over_visitors, share

COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_interval_is_the_wilson_interval(counts):
    from scipy.stats import binomtest

    found = share(*counts)
    interval = binomtest(*counts).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx(tuple(interval), abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_share_of_nothing_has_no_value_and_the_widest_interval():
    assert (share(0, 0).value, share(0, 0).low, share(0, 0).high) == (None, 0.0, 1.0)


@pytest.mark.parametrize(("k", "n"), [(3, 2), (-1, 2), (1, 0)])
def test_invalid_share_is_refused(k, n):
    with pytest.raises(ValueError, match="not a share"):
        share(k, n)


@given(COUNTS, COUNTS)
def test_fisher_matches_the_hypergeometric_sum(one, other):
    from scipy.stats import hypergeom

    (k1, n1), (k2, n2) = one, other
    ways = hypergeom(n1 + n2, k1 + k2, n1)
    chances = ways.pmf(np.arange(0, n1 + 1))
    expected = chances[chances <= ways.pmf(k1) * (1 + 1e-7)].sum()
    assert fisher(k1, n1, k2, n2) == pytest.approx(min(1, expected), abs=1e-6)
    assert fisher(k1, n1, k2, n2, "less") == pytest.approx(ways.cdf(k1), abs=1e-6)


def test_change_is_significant_only_beyond_noise():
    assert not change(share(70, 100), share(74, 100)).significant
    large = change(share(60, 100), share(85, 100))
    assert large.significant and large.points == pytest.approx(0.25)
    assert change(share(0, 0), share(3, 4)) is None


def test_holm_matches_values_computed_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_never_makes_smaller(p_values):
    corrected = holm(p_values)
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert all(np.diff(np.array(corrected)[order]) >= 0)


@given(COUNTS)
def test_interval_of_independent_answers_is_close_to_wilsons(counts):
    found, plain = over_visitors(independent(*counts)), share(*counts)
    assert found.value == pytest.approx(plain.value) and 0 <= found.low <= found.value <= found.high <= 1
    if counts[1] >= 30:
        assert plain.high - plain.low <= found.high - found.low + 1e-9 < 1.1 * (plain.high - plain.low) + 1e-9


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=30), min_size=2, max_size=30))
def test_share_over_visitors_is_the_mean_of_their_shares(answers):
    found = over_visitors(tally(*answers))
    assert found.value == pytest.approx(np.mean([np.mean(each) for each in answers]))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert (found.n, found.visitors) == (sum(map(len, answers)), len(answers))
    assert 0 < found.effective <= found.n


@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=9), min_size=4, max_size=30), st.integers(1, 500)
)
def test_one_visitor_moves_a_figure_by_one_vote_however_often_they_answer(answers, number):
    before = over_visitors(tally(*answers)).value
    after = over_visitors(tally(*answers, [False] * number)).value
    assert abs(after - before) <= 1 / (len(answers) + 1) + 1e-9


def test_answers_of_few_visitors_give_a_wider_interval_than_those_of_many():
    alike = over_visitors(tally(*[[True] * 10] * 7, *[[False] * 10] * 3))
    many = over_visitors(independent(70, 100))
    assert alike.value == many.value == 0.7 and alike.low < many.low - 0.1 and alike.high > many.high + 0.1


def test_interval_of_a_single_visitor_is_that_of_the_answers():
    found, plain = over_visitors(tally([True] * 30 + [False] * 10)), share(30, 40)
    assert (found.value, found.low, found.high, found.visitors) == (plain.value, plain.low, plain.high, 1)
