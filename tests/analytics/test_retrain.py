from datetime import date, timedelta

import pytest

from vibecheck.analytics.drift import Drift, Shift
from vibecheck.analytics.retrain import advice
from vibecheck.analytics.shares import share

TODAY = date(2026, 3, 31)
STEADY = Drift(900, 900, ())
DARKER = Drift(900, 900, (Shift("Light", ("Dark", "Good"), (0.6, 0.4), (0.1, 0.9), 0.4, 1e-9),))

BAD = {
    "audited": share(60, 100),
    "promise": 0.72,
    "drift": STEADY,
    "labels": 298,
    "suspects": 14,
    "live_since": TODAY - timedelta(days=9),
    "today": TODAY,
}


def test_retraining_is_recommended_with_enough_labels_and_low_accuracy():
    found = advice(**BAD)
    assert found.recommended and found.sentence.startswith("Yes")
    reasons = " ".join(check.reason for check in found.checks)
    assert "298 usable new labels" in reasons and "69%" in reasons and "72%" in reasons
    assert "14 labels look wrong" in reasons


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": 96}, "96 usable new labels of the 100"),
        ({"audited": share(66, 100)}, "consistent with the 72%"),
        ({"promise": None}, "No held-out accuracy"),
        ({"audited": share(0, 0)}, "No audits of this model"),
        ({"live_since": TODAY - timedelta(days=1)}, "1 day since"),
    ],
)
def test_each_missing_condition_is_given_as_a_reason_not_to_retrain(changes, reason):
    found = advice(**BAD | changes)
    assert not found.recommended and found.sentence.startswith("Not yet")
    assert any(reason in check.reason for check in found.checks if check.passed is False)


def test_drift_is_a_reason_too():
    found = advice(**BAD | {"promise": None, "drift": DARKER})
    assert found.recommended and any("light" in check.reason for check in found.checks)


def test_empty_installation_is_told_how_many_labels_it_needs():
    found = advice(
        audited=share(0, 0), promise=None, drift=Drift(0, 0, ()), labels=0, suspects=0,
        live_since=None, today=TODAY,
    )  # fmt: skip
    assert not found.recommended and found.sentence == "Not yet: only 0 usable new labels of the 100 needed."
