from datetime import UTC, date, datetime

import pytest

from tests.analytics.tallies import cell, confidence_bin, confused, independent
from tests.analytics.test_drift import EVEN, mix
from vibecheck.analytics import words
from vibecheck.analytics.accuracy import accuracy
from vibecheck.analytics.calibration import calibration
from vibecheck.analytics.confusion import confusion
from vibecheck.analytics.drift import drift
from vibecheck.analytics.shares import over_visitors
from vibecheck.records.learned_calibration import LearnedCalibration
from vibecheck.records.stats.results import Day, LabelTally, VisitorTally
from vibecheck.vision.temperature_scaling import NO_BIAS

DAY = date(2026, 3, 31)
NONE = VisitorTally()


def known(correct: int, n: int, before: tuple[int, int] = (0, 0), asked: int = 200):
    bins = (0,) * 10 + (500,) + (0,) * 4
    return accuracy(
        [Day(DAY, 500, asked, 0, bins)],
        {"audit": LabelTally(n, correct, n), "volunteered": LabelTally(50, 10)},
        independent(correct, n),
        NONE,
        independent(*before),
    )


def test_headline_shows_figure_interval_and_sample_size():
    said = words.on_accuracy(known(95, 128, (94, 129)), "week")
    assert (said.figure, said.interval) == ("74%", "66–81%")
    assert said.detail == "128 audits of 128 visitors · 64% answered · +1 pt on last week, within noise"


def test_significant_fall_is_mentioned():
    detail = words.on_accuracy(known(60, 128, (100, 128)), "4 weeks").detail
    assert "−31 pts on the 4 weeks before, significant" in detail


@pytest.mark.parametrize(
    ("n", "missing"), [(0, "30 more answers"), (12, "18 more answers"), (29, "1 more answer")]
)
def test_too_few_answers_show_the_number_missing(n, missing):
    said = words.on_accuracy(known(n, n), "week")
    assert said.figure == missing


def test_all_time_has_no_comparison():
    assert "noise" not in words.on_accuracy(known(95, 128, (94, 129)), "all").detail


def test_volunteered_labels_are_called_biased():
    assert "Biased" in words.on_bias(known(1, 2)) and "20% right of 50" in words.on_bias(known(1, 2))
    assert words.on_bias(accuracy([], {}, NONE, NONE, NONE)) == ""


def test_few_answered_audits_show_the_range_that_the_others_allow():
    asked = [Day(date(2026, 1, 1), 200, 200, 0, (0,) * 15)]
    said = words.on_bias(accuracy(asked, {"audit": LabelTally(80, 60, 80)}, independent(60, 80), NONE, NONE))
    assert said.startswith("40% of audits were answered.") and said.endswith("between 30% and 90%.")
    most = {"audit": LabelTally(160, 120, 160)}
    assert words.on_bias(accuracy(asked, most, independent(120, 160), NONE, NONE)) == ""


def test_random_queue_accuracy_is_shown_with_its_interval():
    answers = {"labeller": LabelTally(40, 20)}
    said = words.on_bias(accuracy([], answers, NONE, independent(10, 20), NONE))
    assert "Of these, 20 are from the random queue" in said and "50% right (28–72%)" in said


def test_most_confused_pair_is_named_with_its_count_and_interval():
    cells = cell("sad", "neutral", 31) | cell("fear", "surprise", 65)
    pairs = confused("neutral", "sad", 31, 96) | confused("fear", "surprise", 65, 96)
    said = words.on_confusion(confusion(cells, pairs))
    assert said.figure == "Fear and surprise" and said.detail.startswith("65 of 96 mistakes (")
    assert said.moods == ("fear", "surprise")


def test_no_mistakes_and_no_answers_are_worded_differently():
    assert words.on_confusion(confusion(cell("happy", "happy", 9), {})).figure == "None"
    assert words.on_confusion(confusion({}, {})).figure == "Not known yet"


def test_confidence_is_called_reliable_unreliable_or_unknown():
    said = words.on_calibration(calibration([confidence_bin(13, 100, 90, 90.0)]))
    assert said.figure == "Yes, within 9 points" and said.interval == "0–9"
    said = words.on_calibration(calibration([confidence_bin(13, 100, 50, 90.0)]))
    assert said.figure == "Off by 40 points" and "Overconfident where it says 90%" in said.detail
    assert words.on_calibration(calibration([])).figure == "Not known yet"


def test_drift_is_reported_denied_or_unknown():
    assert words.on_drift(drift(mix(EVEN), mix(EVEN))).startswith("No drift")
    assert words.on_drift(drift(mix(EVEN, (400, 100, 200, 0)), mix(EVEN, (100, 100, 500, 0)))) == (
        "Drift in light (Dark (under 60): 14% → 57%)."
    )
    assert "needs 50 vibe checks" in words.on_drift(drift(mix((1,) * 7), mix(EVEN)))


def learned(**changes) -> LearnedCalibration:
    plain = {"temperature": 2.43, "bias": NO_BIAS, "n": 1214, "later": 1204, "loss_before": 1.9}
    plain |= {"loss_after": 1.4, "error_before": 0.288, "error_after": 0.051}
    plain |= {"id": "0" * 32, "version": "m", "from_when": datetime(2026, 3, 3, 12, tzinfo=UTC)}
    return LearnedCalibration(**plain | changes)


def test_overconfidence_is_described_by_confidence_and_accuracy():
    found = calibration([confidence_bin(12, 200, 106, 164.0)])
    said = words.on_confidence(found, over_visitors(independent(106, 200)))
    assert said == "It says 82% and is right in 53% (46–60%)."
    close = calibration([confidence_bin(12, 200, 160, 164.0)])
    assert words.on_confidence(close, over_visitors(independent(160, 200))) == ""
    few = calibration([confidence_bin(12, 20, 10, 16.4)])
    assert words.on_confidence(few, over_visitors(independent(10, 20))) == ""
    assert words.on_confidence(calibration([]), over_visitors(NONE)) == ""


def test_learned_calibration_is_described():
    said = words.on_learned([learned(bias=(0.1, *NO_BIAS[1:])), learned(temperature=1.4)], 1300)
    assert said == (
        "Calibrated since 3 Mar 2026 on 1,214 audits: temperature 2.4 and a bias for each mood. On audits "
        "after those it was fitted to, its error was 28.8 points before and 5.1 after."
    )
    assert "temperature 2.4. On" in words.on_learned([learned()], 1300)
    assert "as shipped again since 3 Mar 2026" in words.on_learned([learned(temperature=1.0)], 1300)


def test_reason_is_given_while_no_calibration_is_learned():
    assert words.on_learned([], 34).endswith("34 so far.")
    assert words.on_learned([], 50).startswith("Calibrated as shipped: nothing learned")
