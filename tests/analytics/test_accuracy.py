from datetime import date, timedelta

import numpy as np
import pytest

from tests.analytics.tallies import confidence_bin, independent
from vibecheck.analytics.accuracy import accuracy, line, recalibrated
from vibecheck.records.stats.results import Day, LabelTally, VisitorTally

TODAY = date(2026, 3, 31)


def a_day(ago: int, n: int = 10, audits: int = 3, bin_: int = 10) -> Day:
    bins = tuple(n if number == bin_ else 0 for number in range(15))
    return Day(TODAY - timedelta(days=ago), n, audits, n, bins)


NONE = VisitorTally()


def test_headline_accuracy_uses_only_audits():
    counts = {"audit": (40, 30, 40), "volunteered": (50, 5, 50), "import": (9, 3, 9)}
    answers = {kind: LabelTally(*numbers) for kind, numbers in counts.items()}
    found = accuracy([a_day(0, 100, 80)], answers, independent(30, 40), NONE, independent(29, 40))
    assert (found.audited.k, found.audited.n) == (30, 40)
    assert (found.volunteered.k, found.volunteered.n) == (5, 50)
    assert found.response.value == 0.5 and found.missing == 0
    assert not found.change.significant


def test_answers_over_the_daily_limit_count_only_as_responses():
    answers = {"audit": LabelTally(3, 2, given=60)}
    found = accuracy([a_day(0, 100, 80)], answers, independent(2, 3), NONE, NONE)
    assert found.audited.n == 3 and (found.response.k, found.response.n) == (60, 80)


def test_too_few_answers_say_how_many_are_missing():
    assert accuracy([], {}, independent(9, 12), NONE, NONE).missing == 18
    empty = accuracy([], {}, NONE, NONE, NONE)
    assert (empty.missing, empty.audited.value, empty.change) == (30, None, None)


def test_last_week_of_the_line_is_the_current_one_and_gaps_are_shown():
    weeks = {TODAY - timedelta(days=7 * ago + 6): independent(3, 4) for ago in (0, 4)}
    points = line([a_day(0), a_day(6), a_day(7), a_day(30)], weeks, {}, [], TODAY)
    assert [p.start for p in points] == [TODAY - timedelta(days=7 * w + 6) for w in (4, 3, 2, 1, 0)]
    assert [p.predictions for p in points] == [10, 0, 0, 10, 20]
    assert [p.audited.n for p in points] == [4, 0, 0, 0, 4]
    assert points[1].estimate is None


def test_estimate_without_answers_is_the_mean_confidence():
    (point,) = line([a_day(0)], {}, {}, [], TODAY)
    assert point.estimate == pytest.approx(10.5 / 15)


def test_estimate_follows_the_answers_rather_than_the_confidence():
    believed = recalibrated([confidence_bin(10, 990, 495, 700.0)])
    assert believed[10] == pytest.approx(0.5, abs=0.01)
    assert believed[3] == pytest.approx(3.5 / 15)


def test_line_without_days_is_empty():
    assert line([], {}, {}, [], TODAY) == []


def test_with_biased_volunteering_the_audited_interval_covers_the_truth():
    """A known truth, 1,000 times: users label 70% of wrong and 15% of right answers; a quarter is asked.

    The sizes are those of a small installation: 600 checks a week, of whose audits 60% answer.
    """
    rng, truth, covered, biased = np.random.default_rng(7), 0.52, 0, 0
    for _ in range(1000):
        right = rng.random(600) < truth
        audit = rng.random(600) < 0.25
        answer = audit & (rng.random(600) < 0.6)
        volunteer = ~audit & (rng.random(600) < np.where(right, 0.15, 0.7))
        answers = {"volunteered": LabelTally(int(volunteer.sum()), int((volunteer & right).sum()))}
        audited = independent(int((answer & right).sum()), int(answer.sum()))
        found = accuracy([a_day(0, 600, int(audit.sum()))], answers, audited, NONE, NONE)
        covered += found.audited.low <= truth <= found.audited.high
        biased += found.volunteered.low <= truth <= found.volunteered.high
    assert 930 <= covered <= 970
    assert biased == 0


def test_random_queue_is_counted_apart_from_audits_and_other_labels():
    answers = {"labeller": LabelTally(20, 9)}
    found = accuracy([a_day(0, 100, 80)], answers, independent(30, 40), independent(9, 12), NONE)
    assert (found.drawn.k, found.drawn.n) == (9, 12)
    assert (found.audited.n, found.labelled.n) == (40, 20)


def test_few_labels_of_the_random_queue_add_no_point_to_the_line():
    this, last = (TODAY - timedelta(days=ago) for ago in (6, 13))
    drawn = {this: independent(9, 12), last: independent(3, 3)}
    before, now = line([a_day(0), a_day(7)], {}, drawn, [], TODAY)
    assert before.drawn is None and (now.drawn.k, now.drawn.n) == (9, 12)
